/* native_maker: generated texts for native_fixture.h, drawn with its seed; "plain" ones keep to
 * what must be answered without Postgres. */
#ifndef GW_TEST_NATIVE_MAKER_H
#define GW_TEST_NATIVE_MAKER_H

#include "native_fixture.h"

#define TEXT_MAX 4000

struct maker {
    char *at, *end;
    bool is_plain;
};

static void put(struct maker *m, const char *s)
{
    size_t n = strlen(s);
    if ((size_t)(m->end - m->at) > n) {
        memcpy(m->at, s, n);
        m->at += n;
    }
    *m->at = '\0';
}

static void put_word(struct maker *m)
{
    static const char *const plain[] = {"a", "b", "aa", "x", "1", "0", ",", "/",    ":",
                                        " ", "_", "%",  "B", "-", "@", ".", "null", "true"};
    static const char *const other[] = {"\u00e9", "\u4e2d", "\U0001f600", "\t",   "{",   "}", "\\",
                                        "\"",     "'",      "e\u0301",    "\x7f", "\x01"};
    for (unsigned n = draw(5); n-- > 0;)
        put(m, m->is_plain || draw(3) ? PICK(plain) : PICK(other));
}

static void put_json_string(struct maker *m)
{
    static const char *const plain[] = {"a",
                                        "b",
                                        "aa",
                                        "x",
                                        "\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\u0041",
                                        "\\u00e9",
                                        "\u00fc",
                                        "\\ud83d\\ude00",
                                        "\\/",
                                        " ",
                                        ":",
                                        ","};
    static const char *const other[] = {"\\u0000", "\\ud83d", "\\ude00", "\\q",
                                        "\n",      "\\u00",   "\x7f"};
    put(m, "\"");
    for (unsigned n = draw(4); n-- > 0;)
        put(m, m->is_plain || draw(12) ? PICK(plain) : PICK(other));
    put(m, "\"");
}

static void put_blank(struct maker *m)
{
    static const char *const blanks[] = {"", "", "", "", " ", "\n", "\t ", "\r"};
    put(m, PICK(blanks));
}

static void put_json_scalar(struct maker *m)
{
    static const char *const plain[] = {"null", "true", "false",          "0",
                                        "1",    "-1",   "1.50",           "42",
                                        "-0",   "-0.0", "1234567890.123", "12345678901234567890"};
    static const char *const other[] = {"1e3", "-2E-2", "01", "+1", "nan", "tru", "1.", "-"};
    if (draw(3) == 0)
        put_json_string(m);
    else
        put(m, m->is_plain || draw(15) ? PICK(plain) : PICK(other));
}

/* Plain documents repeat no key. */
static void put_json_key(struct maker *m, unsigned position)
{
    static const char *const spelled[] = {"\"a\"", "\"b\"", "\"aa\"", "\"\\u0063\"", "\"\""};
    put(m, m->is_plain || draw(3) ? spelled[position % 5] : PICK(spelled));
}

static void put_json(struct maker *m, int depth)
{
    unsigned kind = depth == 0 ? 0 : draw(3), n = draw(5);
    put_blank(m);
    if (kind == 0) {
        put_json_scalar(m);
    } else {
        put(m, kind == 1 ? "[" : "{");
        for (unsigned i = 0; i < n; i++) {
            put(m, i ? "," : "");
            put_blank(m);
            if (kind == 2) {
                put_json_key(m, i);
                put(m, ":");
            }
            put_json(m, depth - 1);
        }
        put_blank(m);
        put(m, kind == 1 ? "]" : "}");
    }
    put_blank(m);
}

/* An object or array, so that an index into a scalar is not among the plain cases. */
static void put_document(struct maker *m)
{
    if (!m->is_plain && draw(4) == 0) {
        put_json(m, 3);
        return;
    }
    bool is_array = draw(2);
    put(m, is_array ? "[" : "{");
    for (unsigned i = 0, n = draw(4); i < n; i++) {
        put(m, i ? "," : "");
        if (!is_array) {
            put_json_key(m, i);
            put(m, ":");
        }
        put_json(m, 2);
    }
    put(m, is_array ? "]" : "}");
}

static void put_uuid(struct maker *m)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    bool has_braces = draw(4) == 0;
    put(m, has_braces ? "{" : "");
    for (unsigned i = 0; i < 32; i++) {
        char digit[2] = {hex[draw(sizeof hex - 1)], '\0'};
        put(m, i && i % 4 == 0 && draw(2) ? "-" : "");
        put(m, digit);
    }
    put(m, has_braces ? "}" : "");
}

static void put_int(struct maker *m)
{
    static const char *const ends[] = {"", "", "", " ", "\t", "  "};
    put(m, PICK(ends));
    put(m, draw(3) ? "" : draw(2) ? "-" : "+");
    for (unsigned n = 1 + draw(draw(4) ? 9 : 20); n-- > 0;) {
        char digit[2] = {(char)('0' + draw(10)), '\0'};
        put(m, digit);
    }
    put(m, PICK(ends));
}

/* Plain paths count from the end in their first step only. */
static void put_path(struct maker *m)
{
    static const char *const positions[] = {"0", "1", "2", "99"};
    put(m, "{");
    for (unsigned i = 0, n = draw(4); i < n; i++) {
        const char *position = m->is_plain && i > 0 ? PICK(positions) : PICK(small_ints);
        put(m, i ? "," : "");
        put(m, draw(2) ? position : draw(2) ? "a" : draw(2) ? "b" : "\"\"");
    }
    put(m, "}");
}

static void put_pattern(struct maker *m)
{
    static const char *const parts[] = {"a",   "b", "aa", "%", "_",    "%", "\\%",
                                        "\\_", "x", "/",  ":", "\\\\", "1", "null"};
    for (unsigned n = draw(6); n-- > 0;)
        put(m, PICK(parts));
}

/* Replaces an ASCII byte by another, so that the text stays UTF-8. */
static void spoil(char *text)
{
    static const char bytes[] = "{}[]\",:\\ 01-eu_%.tn\n";
    size_t n = strlen(text), i = n ? draw((unsigned)n) : 0;
    if (n && (unsigned char)text[i] < 0x80)
        text[i] = bytes[draw(sizeof bytes - 1)];
}

/* Kinds of arguments: u uuid, i int, b bool, j JSON, k key, n small int, p path, t text, d
 * delimiter, l pattern. */
static void generate(char kind, bool is_plain, char out[TEXT_MAX])
{
    struct maker m = {out, out + TEXT_MAX - 1, is_plain};
    *out = '\0';
    switch (kind) {
    case 'u':
        put_uuid(&m);
        break;
    case 'i':
        put_int(&m);
        break;
    case 'b':
        put(&m, PICK(bools));
        break;
    case 'j':
        put_document(&m);
        break;
    case 'k':
        put(&m, PICK(keys));
        break;
    case 'n':
        put(&m, PICK(small_ints));
        break;
    case 'p':
        put_path(&m);
        break;
    case 'd':
        put(&m, PICK(delimiters));
        break;
    case 'l':
        put_pattern(&m);
        break;
    default:
        put_word(&m);
        put_word(&m);
    }
    if (!is_plain && strchr("uijtl", kind) && draw(3) == 0)
        spoil(out);
}

#endif
