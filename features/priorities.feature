Feature: Priorities
  Urgent work goes first, and work of equal urgency goes in the order in which it came.

  Background:
    Given no worker is at work

  Rule: A less urgent job starts only when no more urgent one waits

    Scenario: The most urgent job starts first, whenever it came
      Given these jobs are submitted
        | job     | priority |
        | tidy    | LOW      |
        | mail    | DEFAULT  |
        | alarm   | CRITICAL |
        | invoice | HIGH     |
      When a worker with 1 place starts
      Then the jobs start in the order "alarm", "invoice", "mail", "tidy"

    Scenario: A job that comes later and is more urgent overtakes those that wait
      Given these jobs are submitted
        | job  | priority | runs for |
        | long | LOW      | 2        |
        | tidy | LOW      | 0        |
      And a worker with 1 place starts
      And "long" becomes RUNNING
      When these jobs are submitted
        | job   | priority |
        | alarm | CRITICAL |
      Then the jobs start in the order "long", "alarm", "tidy"

  Rule: Among equals, first come, first served

    Scenario Outline: Jobs of <priority> priority start in the order in which they came
      Given these jobs are submitted
        | job   | priority   |
        | one   | <priority> |
        | two   | <priority> |
        | three | <priority> |
      When a worker with 1 place starts
      Then the jobs start in the order "one", "two", "three"

      Examples:
        | priority |
        | CRITICAL |
        | LOW      |

    Scenario: A batch keeps its order
      Given these jobs are submitted together
        | job   |
        | one   |
        | two   |
        | three |
        | four  |
      When a worker with 1 place starts
      Then the jobs start in the order "one", "two", "three", "four"

  Rule: Where shares are weighted, every priority moves

    Scenario: Of 15 starts each priority gets its share
      Given 15 jobs of each priority are submitted
      When a worker with 1 place and weighted shares starts
      Then of the first 15 starts 8 are CRITICAL, 4 are HIGH, 2 are DEFAULT and 1 is LOW

    Scenario: A share that nobody needs goes to the others
      Given these jobs are submitted
        | job  | priority |
        | one  | LOW      |
        | two  | LOW      |
      When a worker with 1 place and weighted shares starts
      Then the jobs start in the order "one", "two"

  Rule: A worker runs no more jobs at once than it has places

    Scenario: Two places, five jobs
      Given these jobs are submitted
        | job   | runs for |
        | one   | 0.3      |
        | two   | 0.3      |
        | three | 0.3      |
        | four  | 0.3      |
        | five  | 0.3      |
      When a worker with 2 places starts
      Then all jobs end SUCCEEDED
      And no more than 2 jobs ran at once
