Feature: Listing jobs
  An operator looks through jobs, page by page, through filters.

  Background:
    Given no worker is at work

  Rule: The newest job comes first

    Scenario: In the order of submission, turned round
      Given the jobs "one", "two", "three" are submitted
      When the jobs are listed
      Then the list is "three", "two", "one"

    Scenario: Nothing to list
      When the jobs are listed
      Then the list is empty

  Rule: Pages neither repeat nor skip a job

    Scenario Outline: 7 jobs in pages of <size>
      Given 7 jobs are submitted
      When the jobs are listed in pages of <size>
      Then the list holds each of the 7 jobs once

      Examples:
        | size |
        | 1    |
        | 3    |
        | 7    |
        | 50   |
        | 5000 |

    Scenario: The jobs of one batch, which are equally old
      Given 7 jobs are submitted together
      When the jobs are listed in pages of 2
      Then the list holds each of the 7 jobs once

    Scenario: Jobs that arrive meanwhile do not disturb
      Given 7 jobs are submitted
      When the jobs are listed in pages of 3 while 4 others are submitted
      Then the list holds each of the 7 jobs once

    Scenario: A page of less than nothing
      When the jobs are listed in pages of -1
      Then it is refused as invalid because of "page_size"

  Rule: A filter shows all jobs that pass, and no other

    Scenario Outline: By <what>
      Given these jobs are submitted
        | job     | type   | priority | labels        | due in |
        | tidy    | noop   | LOW      | team=ops      |        |
        | alarm   | waltz  | CRITICAL | team=ops      |        |
        | invoice | noop   | HIGH     | team=billing  |        |
        | later   | noop   | DEFAULT  |               | 600    |
      And "tidy" is cancelled
      When the jobs are listed whose <filter>
      Then the list is <jobs>

      Examples:
        | what               | filter                               | jobs               |
        | state              | state is QUEUED                      | "invoice", "alarm" |
        | another state      | state is CANCELLED                   | "tidy"             |
        | a third state      | state is SCHEDULED                   | "later"            |
        | priority           | priority is HIGH                     | "invoice"          |
        | type               | type is waltz                        | "alarm"            |
        | label              | label is team=ops                    | "alarm", "tidy"    |
        | state and label    | state is QUEUED, label is team=ops   | "alarm"            |
        | type and priority  | type is noop, priority is LOW        | "tidy"             |
        | what nobody has    | state is RUNNING                     | empty              |

    Scenario: By age
      Given the job "old" is submitted
      And 0.1 seconds pass
      And the time is noted
      And 0.1 seconds pass
      And the job "new" is submitted
      When the jobs created before the noted time are listed
      Then the list is "old"
      When the jobs created since the noted time are listed
      Then the list is "new"
