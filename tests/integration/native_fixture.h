/* native_fixture: a private Postgres, numbers drawn with a fixed seed, and tables of nasty texts.
 */
#ifndef GW_TEST_NATIVE_FIXTURE_H
#define GW_TEST_NATIVE_FIXTURE_H

#include "../support/pg.h"

#include "gw/facts.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static struct gw_test_pg *pg;
static PGconn *db;
static uint64_t random_state = 20261123;

static void db_open(void)
{
    pg = gw_test_pg_new();
    db = PQconnectdb(gw_test_pg_url(pg, NULL));
    ck_assert_msg(PQstatus(db) == CONNECTION_OK, "%s", PQerrorMessage(db));
    PQclear(PQexec(db, "SET client_encoding = 'UTF8'"));
}

static void db_close(void)
{
    PQfinish(db);
    gw_test_pg_free(pg);
}

/* xorshift64*; below n. */
static unsigned draw(unsigned n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)(random_state * 0x2545f4914f6cdd1du >> 33) % n;
}

static const char *pick(const char *const *from, int n)
{
    return from[draw((unsigned)n)];
}
#define PICK(a) pick(a, COUNT(a))

/* ---- nasty texts, by the kind of argument ---- */

#define U "00112233-4455-6677-8899-aabbccddeeff"

static const char *const uuids[] = {U,
                                    "00112233-4455-6677-8899-AABBCCDDEEFF",
                                    "{" U "}",
                                    "00112233445566778899aabbccddeeff",
                                    "0011-2233-4455-6677-8899-aabb-ccdd-eeff",
                                    "{00112233445566778899AABBCCDDEEFF}",
                                    "",
                                    " " U,
                                    U " ",
                                    "{" U,
                                    U "}",
                                    "{}",
                                    "001-12233-4455-6677-8899-aabbccddeeff",
                                    U "-",
                                    "-" U,
                                    "00112233-4455-6677-8899-aabbccddeef",
                                    "00112233-4455-6677-8899-aabbccddeefg",
                                    "0011223344556677-8899aabbccddeeff",
                                    "00-112233-4455-6677-8899-aabbccddeeff",
                                    U U,
                                    "00112233--4455-6677-8899-aabbccddeeff",
                                    "0x112233-4455-6677-8899-aabbccddeeff",
                                    "ümlaut"};

static const char *const ints[] = {"0",
                                   "-0",
                                   "+0",
                                   "1",
                                   "-1",
                                   "+1",
                                   "007",
                                   " 42",
                                   "42 ",
                                   "\t42\n",
                                   "\v42\f\r",
                                   "",
                                   " ",
                                   "-",
                                   "+",
                                   "--1",
                                   "- 1",
                                   "1 2",
                                   "1.0",
                                   "1.",
                                   "1e3",
                                   "0x1f",
                                   "0X1F",
                                   "-0x1",
                                   "0o7",
                                   "0b1",
                                   "1_000",
                                   "_1",
                                   "1_",
                                   "1__0",
                                   "user_1",
                                   "32767",
                                   "32768",
                                   "-32768",
                                   "-32769",
                                   "2147483647",
                                   "2147483648",
                                   "-2147483648",
                                   "-2147483649",
                                   "9223372036854775807",
                                   "9223372036854775808",
                                   "-9223372036854775808",
                                   "-9223372036854775809",
                                   "99999999999999999999999",
                                   "abc",
                                   "\u00a01",
                                   "\u0661",
                                   "NaN",
                                   "00000000000000000000000000000001"};

static const char *const bools[] = {
    "t",   "f",    "T",  "tr", "tru", "true", "TRUE",     "trues", "fa", "false",   "y",    "ye",
    "yes", "yess", "n",  "no", "non", "o",    "on",       "ON",    "of", "off",     "offf", "1",
    "0",   "10",   "01", "",   " ",   " t ",  "\ttrue\n", "tRuE",  "o ", "\u00a0t", "null", "ja"};

static const char *const jsons[] = {"{}",
                                    "[]",
                                    "null",
                                    "true",
                                    "false",
                                    "0",
                                    "-0",
                                    "1.50",
                                    "-0.00",
                                    "\"\"",
                                    "\"a\"",
                                    " \"a\" ",
                                    " 1 ",
                                    "{\"a\":1}",
                                    "{\"a\": {\"b\" : [1,2,{\"c\":null}]}}",
                                    "[1,\"a\",null,[\"b\"],{\"a\":2}]",
                                    "{\"a\":1,\"a\":2}",
                                    "{\"a\":{\"b\":1},\"a\":{\"c\":2}}",
                                    "{\"b\":1,\"aa\":2,\"a\":3,\"\":4}",
                                    "{\"a\":\"x\",\"b\":\"\\u00e9\\n\\t\\\"\\\\\\/\"}",
                                    "{\"\\u0061\":7}",
                                    "\"\\u0000\"",
                                    "{\"a\":1,\"b\":\"\\u0000\"}",
                                    "\"\\ud83d\\ude00\"",
                                    "\"\\ud83d\"",
                                    "\"\\ude00\"",
                                    "\"\\ud83dx\"",
                                    "\"\\ud83d\\ud83d\"",
                                    "\"\\ud83d\\u0041\"",
                                    "{\"a\":\"\\ud800\"}",
                                    "\"\\x\"",
                                    "\"\\u12\"",
                                    "\"\\u12G4\"",
                                    "\"\\u001f\\u007f\\b\\f\"",
                                    "\"a\nb\"",
                                    "\"a\tb\"",
                                    "",
                                    " ",
                                    "{",
                                    "}",
                                    "[",
                                    "[1,]",
                                    "[,1]",
                                    "{\"a\"}",
                                    "{\"a\":}",
                                    "{a:1}",
                                    "{'a':1}",
                                    "{\"a\":1,}",
                                    "[1 2]",
                                    "01",
                                    "+1",
                                    "1.",
                                    ".5",
                                    "1e3",
                                    "1E-3",
                                    "-",
                                    "--1",
                                    "1a",
                                    "nul",
                                    "nulll",
                                    "True",
                                    "NaN",
                                    "[1]]",
                                    "{}{}",
                                    "\"a",
                                    "a\"",
                                    "[\"a\", \"b\" , null,1]",
                                    "[true,false]",
                                    "[\"null\",\"NULL\",\"\"]",
                                    "123456789012345678901234567890",
                                    "0.1234567890123456789012345678901234567890",
                                    "1e400",
                                    "{\"a\":1e2}",
                                    "[[[[[[[[[[1]]]]]]]]]]",
                                    "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}",
                                    "{\"c\":[1,2,3],\"b\":[[4],5]}",
                                    "\"\u00fc\u4e2d\"",
                                    "{\"\u00fc\":\"\u4e2d\",\"zz\":1}",
                                    "\t{\r\n\"a\"\t:\n1}",
                                    "{\"a\":null}",
                                    "[null]",
                                    "\f1",
                                    "\v1",
                                    "\u00a01",
                                    "{\"0\":1,\"-1\":2}",
                                    "[0,1,2,3]",
                                    "{\"a b\":1,\"{\":2,\",\":3,\"\\\"\":4}"};

static const char *const keys[] = {"a", "b",    "aa", "",    "\u00fc", "0",  "-1",
                                   "é", "null", "A",  "a b", "{",      "\"", "\\"};

static const char *const small_ints[] = {"0",  "1",  "2",  "3",   "-1",         "-2",
                                         "-3", "-4", "99", "-99", "2147483647", "-2147483648"};

static const char *const paths[] = {
    "{}",         "{a}",       "{a,b}",     "{a,b,0}",       "{a,b,-1}",     "{a,b,2,c}",
    "{0}",        "{-1}",      "{1}",       "{ 1}",          "{\" 1\"}",     "{\"1 \"}",
    "{+1}",       "{x}",       "{\"\"}",    "{a,a,a}",       "{NULL}",       "{a,NULL}",
    "{\"null\"}", "{b}",       "{\"a b\"}", "{\"{\"}",       "{\",\"}",      "{\"\\\"\"}",
    "{{a,b}}",    "{0,0,0,0}", "{4,a}",     "{99999999999}", "{0000000000}", "{ a , b }",
    "{\"a\",b}",  "{00}",      "{-0}",      "{b,-2}",        "{2147483647}", "{-2147483648}"};

static const char *const texts[] = {"",
                                    " ",
                                    "a",
                                    "A",
                                    "abc",
                                    "  abc  ",
                                    "a,b,c",
                                    ",",
                                    ",,",
                                    "a,,b,",
                                    "Hello, World",
                                    "\ttab\t",
                                    "x/y/z",
                                    "trip:42",
                                    "NULL",
                                    "null",
                                    "{a}",
                                    "\"q\"",
                                    "back\\slash",
                                    "100%",
                                    "under_score",
                                    "a\nb",
                                    "\u00e4\u00f6\u00dc",
                                    "\u4e2d\u6587\u5b57",
                                    "e\u0301",
                                    "\U0001f600 smile",
                                    "aaa",
                                    "aaaaab",
                                    "abab",
                                    "user@example.com",
                                    "I",
                                    "\u00a0nbsp\u00a0",
                                    "\u0130",
                                    "a b  c"};

static const char *const delimiters[] = {",", "",   "a",  "/",      ":", ",,",
                                         " ", "ab", "aa", "\u4e2d", "\\"};

static const char *const patterns[] = {"",
                                       "%",
                                       "_",
                                       "__",
                                       "%%",
                                       "a%",
                                       "%a",
                                       "%a%",
                                       "a_c",
                                       "_%",
                                       "%_",
                                       "%_%_%",
                                       "abc",
                                       "a\\%",
                                       "100\\%",
                                       "\\a",
                                       "\\",
                                       "a\\",
                                       "%\\",
                                       "x\\\\",
                                       "back\\\\slash",
                                       "%\\\\%",
                                       "under\\_score",
                                       "%b%b%",
                                       "a%b%c",
                                       "%aab",
                                       "\u4e2d_\u5b57",
                                       "_\u00f6_",
                                       "%\u5b57",
                                       "%@%.com",
                                       "a\nb",
                                       "%\n%",
                                       "A%",
                                       "\\\\\\"};

#endif
