Feature: Scheduling ahead
  A job may be handed in now and run later.

  Rule: A job does not run before its time

    Scenario: A job waits for its time, then runs
      Given a worker is at work
      When these jobs are submitted
        | job    | due in |
        | report | 1      |
      Then "report" is SCHEDULED
      And "report" ends SUCCEEDED
      And "report" did not start before its time

    Scenario: A job scheduled far ahead stays scheduled while others run
      Given a worker is at work
      When these jobs are submitted
        | job    | due in |
        | report | 3600   |
        | mail   |        |
      Then "mail" ends SUCCEEDED
      And "report" is SCHEDULED
      And "report" was never attempted

    Scenario: A time that has passed means now
      Given no worker is at work
      When these jobs are submitted
        | job    | due in |
        | report | -60    |
      Then "report" is QUEUED

  Rule: A job that comes due takes the place that its time gives it

    Scenario: Before those that came after its time, after those that waited already
      Given no worker is at work
      And these jobs are submitted
        | job     | due in |
        | patient |        |
        | due     | 0.5    |
      And "due" becomes QUEUED
      And these jobs are submitted
        | job  | due in |
        | late |        |
      When a worker with 1 place starts
      Then the jobs start in the order "patient", "due", "late"

    Scenario: The earlier time first, whatever came first and whenever it was noticed
      Given no worker is at work
      And these jobs are submitted together
        | job   | due in |
        | later | 0.5    |
        | early | 0.45   |
      And "later" becomes QUEUED
      When a worker with 1 place starts
      Then the jobs start in the order "early", "later"

    Scenario: Urgency comes before time
      Given no worker is at work
      And these jobs are submitted
        | job   | priority | due in |
        | early | LOW      | 0.2    |
        | alarm | HIGH     | 0.5    |
      And "early" becomes QUEUED
      And "alarm" becomes QUEUED
      When a worker with 1 place starts
      Then the jobs start in the order "alarm", "early"
