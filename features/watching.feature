Feature: Watching a job
  A client follows a job to its end without asking again and again.

  Rule: A watcher sees where the job stands, each change after it, and the end

    Scenario: From the queue to success
      Given no worker is at work
      And these jobs are submitted
        | job    | runs for |
        | report | 1        |
      And "report" is watched
      And the watcher has seen QUEUED
      When a worker with 1 place starts
      Then the watch of "report" ends with SUCCEEDED
      And the watcher saw QUEUED, RUNNING, SUCCEEDED
      And the versions that the watcher saw grow strictly

    Scenario Outline: Every kind of end is seen: <state>
      Given a worker is at work
      And these jobs are submitted
        | job    | due in | fails   | most attempts |
        | report | 0.3    | <fails> | 1             |
      When "report" is watched
      Then the watch of "report" ends with <state>
      And the versions that the watcher saw grow strictly

      Examples:
        | state      | fails    |
        | SUCCEEDED  |          |
        | FAILED     | for good |
        | DEADLETTER | always   |

    Scenario: A cancellation is seen
      Given no worker is at work
      And the job "report" is submitted
      And "report" is watched
      And the watcher has seen QUEUED
      When "report" is cancelled
      Then the watch of "report" ends with CANCELLED
      And the watcher saw QUEUED, CANCELLED

    Scenario: A retry is seen
      Given a worker is at work
      And these jobs are submitted
        | job   | due in | fails | first wait | runs for |
        | flaky | 0.3    | 1     | 1          | 0.2      |
      When "flaky" is watched
      Then the watch of "flaky" ends with SUCCEEDED
      And the watcher saw RETRYING among others
      And the versions that the watcher saw grow strictly

    Scenario: A job that has ended is told once
      Given a worker is at work
      And the job "report" is submitted
      And "report" ends SUCCEEDED
      When "report" is watched
      Then the watch of "report" ends with SUCCEEDED
      And the watcher saw SUCCEEDED

    Scenario: Several watchers see the same end
      Given no worker is at work
      And the job "report" is submitted
      And "report" is watched by 5 watchers
      When a worker with 1 place starts
      Then all 5 watches end with SUCCEEDED

  Rule: A watch can go on after a version that was seen

    Scenario: Only news is told
      Given a worker is at work
      And these jobs are submitted
        | job    | due in |
        | report | 0.5    |
      When "report" is watched after its first version
      Then the watch of "report" ends with SUCCEEDED
      And the watcher saw nothing of its first version

    Scenario: After the end there is no news
      Given a worker is at work
      And the job "report" is submitted
      And "report" ends SUCCEEDED
      When "report" is watched after its last version
      Then the watch ends without a word

    Scenario: A version that does not exist yet
      Given no worker is at work
      And the job "report" is submitted
      When "report" is watched after a version that it has not reached
      Then it is refused as invalid because of "after_version"

    Scenario: A job that nobody knows
      When a job that nobody knows is watched
      Then it is refused as unknown
