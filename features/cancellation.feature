Feature: Cancellation
  A client may call off a job at any time before it ends. Its word is final.

  Rule: A job that does not run yet never will

    Scenario Outline: Cancelled while <state>
      Given a worker is at work
      And these jobs are submitted
        | job    | due in   | fails   | first wait |
        | report | <due in> | <fails> | 600        |
      And "report" becomes <state>
      When "report" is cancelled
      Then the cancellation is confirmed
      And "report" is CANCELLED

      Examples:
        | state     | due in | fails |
        | SCHEDULED | 600    |       |
        | RETRYING  |        | 1     |

    Scenario: Cancelled in the queue
      Given no worker is at work
      And the jobs "report", "mail" are submitted
      When "report" is cancelled
      Then the cancellation is confirmed
      And "report" is CANCELLED
      When a worker with 1 place starts
      Then "mail" ends SUCCEEDED
      And "report" was never attempted

  Rule: A running job is stopped, whatever its worker reports later

    Scenario: Cancelled while RUNNING
      Given a worker is at work
      And these jobs are submitted
        | job    | runs for |
        | report | 1        |
      And "report" becomes RUNNING
      When "report" is cancelled
      Then the cancellation is confirmed
      And "report" is CANCELLED
      And the attempts of "report" ended CANCELLED
      When 1.5 seconds pass
      Then "report" is CANCELLED
      And the attempts of "report" ended CANCELLED

    Scenario: Its place is free at once
      Given a worker with 1 place is at work alone
      And these jobs are submitted
        | job    | runs for |
        | report | 600      |
        | mail   | 0        |
      And "report" becomes RUNNING
      When "report" is cancelled
      Then "mail" ends SUCCEEDED
      And "mail" started as soon as "report" had ended

    Scenario: Its place is free although it takes long to stop
      Given a worker with 1 place is at work alone
      And these jobs are submitted
        | job    | type        | payload        |
        | report | unruly.stay | {"seconds": 3} |
        | mail   |             |                |
      And "report" becomes RUNNING
      When "report" is cancelled
      Then "mail" ends SUCCEEDED
      And "mail" started as soon as "report" had ended
      When 4 seconds pass
      Then "report" is CANCELLED
      And the attempts of "report" ended CANCELLED

  Rule: A job that has ended stays as it ended

    Scenario Outline: Too late: <state>
      Given a worker is at work
      And these jobs are submitted
        | job    | fails   | most attempts |
        | report | <fails> | 1             |
      And "report" ends <state>
      When "report" is cancelled
      Then the cancellation is denied
      And "report" is <state>

      Examples:
        | state      | fails    |
        | SUCCEEDED  |          |
        | FAILED     | for good |
        | DEADLETTER | always   |

    Scenario: Cancelled twice is cancelled
      Given no worker is at work
      And the job "report" is submitted
      And "report" is cancelled
      When "report" is cancelled
      Then the cancellation is confirmed
      And "report" has changed 1 time with 0 attempts

    Scenario: A job that nobody knows
      When a job that nobody knows is cancelled
      Then it is refused as unknown

  Rule: A cancelled job can be queued again

    Scenario: Second thoughts
      Given no worker is at work
      And the job "report" is submitted
      And "report" is cancelled
      When "report" is queued again
      Then "report" is QUEUED
      When a worker with 1 place starts
      Then "report" ends SUCCEEDED
