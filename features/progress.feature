Feature: Telling how far a job is
  A long job says how far it is, for whoever waits for it.

  Rule: A watcher sees the progress of a running job

    Scenario: Step by step
      Given a worker is at work
      And these jobs are submitted
        | job    | due in | runs for | steps |
        | report | 0.5    | 3        | 4     |
      When "report" is watched
      Then the watch of "report" ends with SUCCEEDED
      And the watcher saw a progress of 25, 50, 75, 100 percent
      And the watcher saw "50 %: step 2 of 4" while it was RUNNING
      And the versions that the watcher saw never fall

    Scenario: A watcher that comes late sees how far the job is by now
      Given a worker is at work
      And these jobs are submitted
        | job    | runs for | steps |
        | report | 120      | 240   |
      And "report" tells a progress above 1 percent
      When "report" is watched
      Then the watcher has seen a progress above 1 percent

    Scenario: However much a job talks, its watchers are not flooded
      Given a worker is at work
      And these jobs are submitted
        | job    | due in | runs for | steps |
        | report | 0.5    | 4        | 1000  |
      When "report" is watched
      Then the watch of "report" ends with SUCCEEDED
      And the progress that the watcher saw grows
      And the watcher saw at least 8 notes of progress
      And the watcher saw at most 5 notes of progress a second

    Scenario: A job that says nothing
      Given a worker is at work
      And these jobs are submitted
        | job    | due in | runs for |
        | report | 0.3    | 0.5      |
      When "report" is watched
      Then the watch of "report" ends with SUCCEEDED
      And the watcher saw a progress of 0 percent
      And the versions that the watcher saw grow strictly

  Rule: A job keeps what its last attempt said last

    Scenario Outline: However it ends: <state>
      Given a worker is at work
      When these jobs are submitted
        | job    | runs for | steps | fails   | most attempts |
        | report | 0.2      | 2     | <fails> | 1             |
      Then "report" ends <state>
      And "report" stands at 100 percent and says "step 2 of 2"

      Examples:
        | state      | fails    |
        | SUCCEEDED  |          |
        | FAILED     | for good |
        | DEADLETTER | always   |

    Scenario: While it runs
      Given a worker is at work
      When these jobs are submitted
        | job    | runs for | steps |
        | report | 120      | 240   |
      Then "report" tells a progress above 1 percent
      And "report" is RUNNING

    Scenario: A new attempt begins anew
      Given a worker is at work
      And these jobs are submitted
        | job    | due in | runs for | steps | fails | first wait |
        | report | 0.3    | 1        | 2     | 1     | 0.5        |
      When "report" is watched
      Then the watch of "report" ends with SUCCEEDED
      And the watcher saw RETRYING at 100 percent
      And the watcher saw 0 percent after RETRYING
