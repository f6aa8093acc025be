/* err: the one list of everything that can go wrong, and the struct that carries it upwards.
 *
 * A fallible function returns enum gw_code; where the code alone does not explain, its last
 * parameter is a struct gw_err. Set at the origin, wrapped with "while …" on the way up, logged
 * once, where it is handled. Three kinds, three treatments: the peer's fault ends in a reply, the
 * environment's in a retry with back-off, our own in an assert.
 * Docs and tests are checked against GW_ERROR_LIST. */
#ifndef GW_ERR_H
#define GW_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define GW_MUST_CHECK __attribute__((warn_unused_result))
#define GW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* X(name, text, wire, close, retry)
 * wire: the code a client sees before ": " in a join error, or "" where it never travels.
 * close: WebSocket close code when it ends a connection, 0 when it does not.
 * retry: what an automatic client should do: NO, LATER (back off), REJOIN (channel only). */
#define GW_ERROR_LIST(X)                                                                           \
    X(OK, "ok", "", 0, NO)                                                                         \
    X(E_TRUNCATED, "input ends early", "", 0, NO)                                                  \
    X(E_MALFORMED, "input is malformed", "MalformedWebSocketMessage", 0, NO)                       \
    X(E_TOO_BIG, "input exceeds its bound", "", 1009, NO)                                          \
    X(E_UNSUPPORTED, "not supported", "", 0, NO)                                                   \
    X(E_FULL, "queue is full", "", 0, LATER)                                                       \
    X(E_SLOW, "client reads too slowly", "", 0, REJOIN)                                            \
    X(E_NOT_FOUND, "not found", "", 0, NO)                                                         \
    X(E_SETTING, "setting is unknown or malformed", "", 0, NO)                                     \
    X(E_IO, "operating system refused", "", 0, LATER)                                              \
    X(E_TOKEN_MISSING, "API key is missing", "MissingAPIKey", 0, NO)                               \
    X(E_TOKEN_MALFORMED, "The token provided is not a valid JWT", "MalformedJWT", 0, NO)           \
    X(E_TOKEN_SIGNATURE, "Failed to validate JWT signature", "JwtSignatureError", 0, NO)           \
    X(E_TOKEN_SIGNER, "Failed to generate JWT signer", "JwtSignerError", 0, NO)                    \
    X(E_TOKEN_EXPIRED, "Token has expired", "InvalidJWTToken", 0, REJOIN)                          \
    X(E_TOKEN_CLAIMS, "Fields `role` and `exp` are required in JWT", "InvalidJWTToken", 0, NO)     \
    X(E_TOKEN_ROLE, "role is not allowed here", "Unauthorized", 0, NO)                             \
    X(E_UNAUTHORIZED, "not permitted", "Unauthorized", 0, NO)                                      \
    X(E_TOO_MANY_CHANNELS, "Too many channels", "ChannelRateLimitReached", 0, LATER)               \
    X(E_TOO_MANY_CONNECTIONS, "Too many connected users", "ConnectionRateLimitReached", 1013,      \
      LATER)                                                                                       \
    X(E_SHUTDOWN, "server is restarting", "RealtimeRestarting", 1012, LATER)                       \
    X(E_RESYNC, "changes were not delivered one by one", "", 0, REJOIN)                            \
    X(E_DATABASE, "database reported an error", "", 0, LATER)                                      \
    X(E_DATABASE_DOWN, "database cannot be reached", "UnableToConnectToProject", 0, LATER)         \
    X(E_WAL_LEVEL, "wal_level is not logical", "", 0, LATER)                                       \
    X(E_SLOT_TAKEN, "replication slot is in use", "", 0, LATER)                                    \
    X(E_SLOT_INVALID, "replication slot cannot be used", "", 0, LATER)                             \
    X(E_PUBLICATION_MISSING, "publication does not exist", "", 0, LATER)                           \
    X(E_PRIVILEGE, "database role lacks a privilege", "", 0, LATER)                                \
    X(E_BUDGET, "question budget is spent", "", 0, REJOIN)                                         \
    X(E_POLICY, "policy could not be evaluated", "", 0, NO)                                        \
    X(E_AGAIN, "answers are needed first", "", 0, LATER)

enum gw_retry { GW_RETRY_NO, GW_RETRY_LATER, GW_RETRY_REJOIN };

enum gw_code {
#define X(name, text, wire, close, retry) GW_##name,
    GW_ERROR_LIST(X)
#undef X
        GW_CODE_COUNT
};

struct gw_err {
    enum gw_code code;
    char text[384]; /* what happened, NUL-terminated, no secrets */
    char hint[384]; /* what would fix it, often a SQL statement; "" if nothing is known */
};

/* Static strings and numbers of one code; code must be below GW_CODE_COUNT. */
const char *gw_code_name(enum gw_code code);
const char *gw_code_text(enum gw_code code);
const char *gw_code_wire(enum gw_code code);
int gw_code_close(enum gw_code code);
enum gw_retry gw_code_retry(enum gw_code code);

/* Record an error at its origin and return its code. err may be NULL. Text is cut, never overrun. */
enum gw_code gw_err_set(struct gw_err *err, enum gw_code code, const char *fmt, ...)
    GW_PRINTF(3, 4);

/* Add the remedy to an error already set. */
void gw_err_hint(struct gw_err *err, const char *fmt, ...) GW_PRINTF(2, 3);

/* Append " while " and the formatted text on the way up; returns err's code. err not NULL. */
enum gw_code gw_err_wrap(struct gw_err *err, const char *fmt, ...) GW_PRINTF(2, 3);

#endif
