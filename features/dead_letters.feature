Feature: Dead letters
  Jobs that died are looked through by what they died of, and many of them are queued again or deleted at once.

  Background:
    Given a worker is at work

  Rule: What died of the same kind of error belongs together

    Scenario: Numbers, ids and the like make no difference
      When these jobs are submitted
        | job   | fails  | most attempts | first wait |
        | one   | always | 1             |            |
        | two   | always | 2             | 0.1        |
        | other | for good |             |            |
      And "one" ends DEADLETTER
      And "two" ends DEADLETTER
      And "other" ends FAILED
      Then "one" and "two" died of the same kind of error
      And "one" and "other" died of different kinds of errors

    Scenario: Each kind is shown with its count and its newest job
      When these jobs are submitted
        | job | type      | most attempts |
        | one | own waltz | 1             |
        | two | own waltz | 1             |
      And all jobs end DEADLETTER
      Then the kinds of errors of "own waltz" are
        | jobs | FAILED | DEADLETTER | error          |
        | 2    | 0      | 2          | will not dance |

    Scenario: A kind of which no job is left is not shown
      Given these jobs are submitted
        | job | type      | most attempts |
        | one | own waltz | 1             |
      And all jobs end DEADLETTER
      When the dead letters are deleted
      Then there are no kinds of errors of "own waltz"

  Rule: Many jobs are queued again at once

    Scenario: All dead letters run again, and their history stays
      Given these jobs are submitted
        | job  | fails    |
        | one  | for good |
        | two  | for good |
        | fine |          |
      And "one" ends FAILED
      And "two" ends FAILED
      And "fine" ends SUCCEEDED
      When the dead letters are queued again
      Then 2 jobs were changed
      And "one" ends FAILED
      And the attempts of "one" ended FAILED, FAILED
      And "two" ends FAILED
      And the attempts of "fine" ended SUCCEEDED

    Scenario Outline: Only those with a certain <what>
      Given these jobs are submitted
        | job   | fails    | priority | labels  |
        | one   | for good | HIGH     | shop=a  |
        | two   | always   | LOW      | shop=b  |
      And "one" ends FAILED
      And "two" becomes RETRYING
      And these jobs are submitted
        | job   | fails    | priority | labels  |
        | three | for good | LOW      | shop=b  |
      And "three" ends FAILED
      When the dead letters whose <what> is <this> are counted
      Then 1 job was counted
      When the dead letters whose <what> is <this> are queued again
      Then 1 job was changed
      And "one" ends FAILED
      And the attempts of "one" ended FAILED, FAILED
      And the attempts of "three" ended FAILED

      Examples:
        | what     | this   |
        | priority | HIGH   |
        | label    | shop=a |

    Scenario: Only those that died of something
      Given these jobs are submitted
        | job | fails    | type      | most attempts |
        | one | for good | noop      |               |
        | two |          | own waltz | 1             |
      And "one" ends FAILED
      And "two" ends DEADLETTER
      When the dead letters whose error contains "will not dance" are queued again
      Then 1 job was changed
      And "two" ends DEADLETTER
      And the attempts of "two" ended FAILED, FAILED
      And the attempts of "one" ended FAILED

    Scenario: The oldest first, as many as wanted, behind what is queued
      Given these jobs are submitted
        | job | fails    |
        | one | for good |
      And "one" ends FAILED
      And these jobs are submitted
        | job | fails    |
        | two | for good |
      And "two" ends FAILED
      And no worker is at work
      And the job "report" is submitted
      When at most 1 of the dead letters is queued again
      Then "one" is QUEUED
      And "two" is FAILED
      When a worker with 1 place starts
      Then the jobs start in the order "two", "report", "one"

    Scenario: A count changes nothing
      Given these jobs are submitted
        | job | fails    |
        | one | for good |
      And "one" ends FAILED
      When the dead letters are counted
      Then 1 job was counted
      And "one" is FAILED
      And "one" has changed 2 times with 1 attempt

    Scenario: Jobs that succeeded are not queued again in bulk
      Given the job "report" is submitted
      And "report" ends SUCCEEDED
      When the jobs in SUCCEEDED are queued again
      Then it is refused as invalid
      And "report" is SUCCEEDED

  Rule: Dead letters are deleted before their time only when someone says so

    Scenario: Deleted for good
      Given these jobs are submitted
        | job | fails    | labels |
        | one | for good | shop=a |
        | two | for good | shop=b |
      And "one" ends FAILED
      And "two" ends FAILED
      When the dead letters whose label is shop=a are deleted
      Then 1 job was changed
      And "two" is FAILED
      When "one" is cancelled
      Then it is refused as unknown

    Scenario: What has not ended cannot be deleted
      Given these jobs are submitted
        | job    | due in |
        | report | 3600   |
      When the jobs in SCHEDULED are deleted
      Then it is refused as invalid
      And "report" is SCHEDULED
