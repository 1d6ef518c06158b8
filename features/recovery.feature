Feature: Recovery
  Workers crash, hang and are replaced. No job is lost with them, and none runs for ever.

  Background:
    Given no worker is at work

  Rule: The job of a lost worker runs again

    Scenario: On the next worker, at the cost of an attempt
      Given a worker "first" with 1 place starts
      And these jobs are submitted
        | job    | runs for |
        | report | 2        |
      And "report" becomes RUNNING
      When the time is noted
      And the worker "first" crashes
      And a worker "second" with 1 place starts
      Then "report" ends SUCCEEDED
      And "report" was taken back within 13 seconds of that
      And "report" has 2 attempts, 1 of them lost
      And the attempts of "report" ended LOST, SUCCEEDED

    Scenario: It keeps its place
      Given these jobs are submitted
        | job    | runs for |
        | report | 1        |
        | mail   | 0        |
      And a worker "first" with 1 place starts
      And "report" becomes RUNNING
      When the worker "first" crashes
      And "report" becomes QUEUED
      And a worker "second" with 1 place starts
      Then the jobs start in the order "report", "mail"
      And "report" ends SUCCEEDED

    Scenario: A job that takes its workers down with it ends as a dead letter
      Given these jobs are submitted
        | job    | runs for | most attempts |
        | poison | 60       | 2             |
      And a worker "first" with 1 place starts
      And "poison" becomes RUNNING
      And the worker "first" crashes
      And "poison" becomes QUEUED
      And a worker "second" with 1 place starts
      And "poison" becomes RUNNING
      When the worker "second" crashes
      Then "poison" ends DEADLETTER
      And the reason of "poison" says "worker lost"
      And the attempts of "poison" ended LOST, LOST

    Scenario: A worker that comes back from the dead has no say any more
      Given a worker "first" with 1 place starts
      And these jobs are submitted
        | job    | runs for |
        | report | 1        |
      And "report" becomes RUNNING
      When the worker "first" is cut off
      And a worker "second" with 1 place starts
      Then "report" ends SUCCEEDED
      When the worker "first" is back
      And 2 seconds pass
      Then "report" is SUCCEEDED
      And the attempts of "report" ended LOST, SUCCEEDED
      And "report" has 2 attempts, 1 of them lost

  Rule: A job that was handed out and never started goes back to its place, at no cost

    Scenario: A worker vanishes between taking and starting a job
      Given the jobs "report", "mail" are submitted
      When a worker takes 1 job and vanishes before it starts it
      And a worker with 1 place starts
      Then all jobs end SUCCEEDED
      And "report" has 1 attempt, 0 of them lost
      And the attempts of "report" ended SUCCEEDED

  Rule: A worker that stops in peace gives back what it cannot finish, at no cost

    Scenario: A job that takes longer than the worker may wait
      Given a worker "first" with 1 place starts
      And these jobs are submitted
        | job    | runs for | most attempts |
        | report | 60       | 1             |
      And "report" becomes RUNNING
      When the worker "first" stops
      Then "report" is QUEUED
      And "report" has 0 attempts
      And the attempts of "report" ended RELEASED
      When a worker "second" with 1 place starts
      Then "report" becomes RUNNING
      And "report" has 1 attempt

    Scenario: A job that is about to end may end
      Given a worker "first" with 1 place starts
      And these jobs are submitted
        | job    | runs for |
        | report | 0.5      |
      And "report" becomes RUNNING
      When the worker "first" stops
      Then "report" is SUCCEEDED
      And the attempts of "report" ended SUCCEEDED
