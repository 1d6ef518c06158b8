Feature: Submitting jobs
  A client hands in jobs. What was acknowledged is kept, once, and exactly as it came.

  Background:
    Given no worker is at work

  Rule: An acknowledged job is kept as it was handed in

    Scenario: A job waits for a worker
      When the job "report" is submitted
      Then "report" is QUEUED
      And "report" has changed 0 times with 0 attempts

    Scenario: What the client leaves open is decided for it
      When the job "report" is submitted
      Then "report" may be attempted 3 times

    Scenario: The payload is kept to the letter
      When the job "report" is submitted with the payload
        """
        {"b": 1.0,  "text": "\u0000 \ud800 ü", "big": 1e400, "b": [ ]}
        """
      Then the payload of "report" is
        """
        {"b": 1.0,  "text": "\u0000 \ud800 ü", "big": 1e400, "b": [ ]}
        """

    Scenario: Labels are kept
      When these jobs are submitted
        | job    | labels                  |
        | report | team=billing, region=eu |
      Then "report" is labelled team=billing, region=eu

  Rule: A submission that breaks a rule is refused, and its fault is named

    Scenario Outline: Refused for its <field>
      When a job is submitted whose <column> is <value>
      Then it is refused as invalid because of "<field>"
      And nothing is stored

      Examples:
        | column        | value     | field                |
        | type          | two words | type                 |
        | payload       | {"half":  | payload              |
        | payload       | NaN       | payload              |
        | payload       | 1 2       | payload              |
        | most attempts | 101       | max_attempts         |
        | time limit    | 0         | timeout              |
        | time limit    | 90000     | timeout              |
        | labels        | =no key   | labels               |
        | first wait    | 0         | retry_policy.initial |

  Rule: The same key means the same job

    Scenario: A repeated submission finds the first one's job
      When these jobs are submitted
        | job    | key   | payload   |
        | first  | order | {"nr": 7} |
        | second | order | {"nr": 7} |
      Then "first" and "second" are one job
      And only "first" was created

    Scenario: Other content under a known key is refused, and nothing of it is stored
      Given these jobs are submitted
        | job   | key   | payload   |
        | first | order | {"nr": 7} |
      When these jobs are submitted
        | job    | key   | payload   |
        | second | order | {"nr": 8} |
      Then it is refused as contradictory
      And only these jobs are stored: "first"
      And the payload of "first" is
        """
        {"nr": 7}
        """

    Scenario: A key is remembered after its job has ended
      Given a worker is at work
      And these jobs are submitted
        | job   | key   |
        | first | order |
      And "first" ends SUCCEEDED
      When these jobs are submitted
        | job    | key   |
        | second | order |
      Then "first" and "second" are one job
      And the attempts of "first" ended SUCCEEDED

    Scenario: Jobs without a key are different jobs, however alike they are
      When these jobs are submitted
        | job    | payload   |
        | first  | {"nr": 7} |
        | second | {"nr": 7} |
      Then "first" and "second" are two jobs

    Scenario: A client may choose the job's id itself
      When these jobs are submitted
        | job    | id  | payload   |
        | first  | own | {"nr": 7} |
        | second | own | {"nr": 7} |
      Then "first" and "second" are one job
      And only "first" was created

    Scenario: Other content under a known id is refused
      Given these jobs are submitted
        | job   | id  | priority |
        | first | own | HIGH     |
      When these jobs are submitted
        | job    | id  | type    |
        | second | own | other   |
      Then it is refused as contradictory
      And only these jobs are stored: "first"

  Rule: A batch is stored as a whole or not at all

    Scenario: All jobs of a batch are stored
      When these jobs are submitted together
        | job   | priority |
        | one   | HIGH     |
        | two   | LOW      |
        | three | DEFAULT  |
      Then only these jobs are stored: "one", "two", "three"

    Scenario: One job that cannot be accepted keeps out all others
      Given these jobs are submitted
        | job   | key   | payload   |
        | first | order | {"nr": 7} |
      When these jobs are submitted together
        | job    | key   | payload   |
        | one    |       | {"nr": 1} |
        | second | order | {"nr": 8} |
        | three  |       | {"nr": 3} |
      Then it is refused as contradictory
      And only these jobs are stored: "first"

    Scenario: A repeat inside a batch finds the job that the batch creates
      When these jobs are submitted together
        | job    | key   |
        | first  | order |
        | second | order |
        | third  |       |
      Then "first" and "second" are one job
      And only "first", "third" were created
