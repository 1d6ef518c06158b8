@servers
Feature: One statement at a bank, with an effect that happens exactly once
  A job may run one SQL statement in a database of the user's, here a bank where everybody has 100.

  Rule: A payment is made once, however often its job is attempted

    Scenario: A payment is made
      Given a worker is at the bank
      When "rent" pays 30 from "alice" to "bob"
      Then "rent" ends SUCCEEDED
      And the result of "rent" counts 2 accounts
      And "alice" has 70 at the bank
      And "bob" has 130 at the bank

    Scenario: The worker dies after the payment and before it can tell
      Given a worker is at the bank
      And the bank's word that it has paid does not arrive
      When "rent" pays 30 from "alice" to "bob"
      And the bank has made the payment "rent"
      And the worker at the bank dies
      And a worker is at the bank
      Then "rent" ends SUCCEEDED
      And the attempts of "rent" ended LOST, SUCCEEDED
      And the result of "rent" counts 2 accounts
      And "alice" has 70 at the bank
      And "bob" has 130 at the bank

    Scenario: A payment that was refused can be corrected
      Given a worker is at the bank
      And "rent" pays 300 from "alice" to "bob"
      And "rent" ends FAILED
      When "rent" is corrected to 30 from "alice" to "bob"
      Then "rent" ends SUCCEEDED
      And "alice" has 70 at the bank

  Rule: What the bank refuses is not tried again

    Scenario Outline: Refused is <what>
      Given a worker is at the bank
      When "order" asks the bank for <statement>
      Then "order" ends FAILED
      And "order" has 1 attempt
      And the reason of "order" says "<reason>"

      Examples:
        | what                         | statement                                       | reason               |
        | more than there is           | UPDATE accounts SET balance = balance - 101     | check constraint     |
        | a second account of one name | INSERT INTO accounts SELECT 1, 0                | duplicate key value  |
        | what is no sentence          | SELECT FROM WHERE                               | syntax error         |
        | what is the bank's alone     | DELETE FROM scheduler_effects                   | must not name        |
        | another way to the same      | DO 'BEGIN DELETE FROM accounts; END'            | DO block             |
        | what rules the bank          | ALTER ROLE CURRENT_USER SET work_mem = 64       | must begin with CALL |
        | a look into its files        | SELECT "pg_read_file"('PG_VERSION')             | must not name        |
        | two at once                  | DELETE FROM accounts; SELECT 1                  | exactly one SQL      |
        | the end of the transaction   | COMMIT                                          | must begin with CALL |

  Rule: A bank that is closed is asked again

    Scenario: Closed and open again
      Given the bank is closed
      And a worker is at the bank
      And "rent" pays 30 from "alice" to "bob"
      And "rent" becomes RETRYING
      And the reason of "rent" says "no connection to the target database"
      When the bank opens
      Then "rent" ends SUCCEEDED
      And "alice" has 70 at the bank

    Scenario: A closed bank keeps no other work from being done
      Given the bank is closed
      And a worker is at the bank
      When the job "report" is submitted
      Then "report" ends SUCCEEDED

    Scenario: A bank that falls silent does not keep the place of a payment that is cancelled
      Given a worker with one place is at the bank
      And "order" asks the bank for SELECT pg_sleep(600)
      And "order" becomes RUNNING
      And the bank falls silent
      And the job "report" is submitted
      When "order" is cancelled
      Then "report" ends SUCCEEDED
      And "report" started as soon as "order" had ended

  Rule: A bank may agree to some statements and to no others

    Scenario: What was agreed
      Given a worker is at the bank and may do no more than "pay"
      When "rent" is the agreed "pay" of 30 from "alice" to "bob"
      Then "rent" ends SUCCEEDED
      And "bob" has 130 at the bank

    Scenario: Nothing was agreed
      Given a worker is at the bank that has agreed to nothing
      When "order" asks the bank for DELETE FROM accounts
      Then "order" ends FAILED
      And the reason of "order" says "DB_TX_ALLOWED_STATEMENTS"
      And "alice" has 100 at the bank

    Scenario: What was not
      Given a worker is at the bank and may do no more than "pay"
      When "order" asks the bank for DELETE FROM accounts
      And "robbery" is the agreed "take" of 100 from "alice" to "bob"
      Then "order" ends FAILED
      And the reason of "order" says "query: this worker runs named statements only"
      And "robbery" ends FAILED
      And the reason of "robbery" says "statement: 'take' is not one of the allowed"
      And "alice" has 100 at the bank

  Rule: Where there is no bank, the reason says so

    Scenario: No bank
      Given a worker is at work
      When "rent" pays 30 from "alice" to "bob"
      Then "rent" ends FAILED
      And the reason of "rent" says "DB_TX_DATABASE_URL is not set"
