/* A link that has not connected yet answers E_DATABASE_DOWN, as it must for the hub; here that
 * means: ask again, until the time is up. */
#include "catalog_once.h"

#include "db_link.h"
#include "loop.h"

#include <semaphore.h>
#include <time.h>

#define WAIT_MS 15000
#define RETRY_MS 50

static void wake(void *ctx)
{
    sem_post(ctx);
}

static void drop_request(void *request)
{
    gw_db_request_free(request);
}

static struct timespec wall_in(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t); /* the clock of sem_timedwait */
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* The reply, owned, or NULL when the time is up. */
static struct gw_db_request *wait_reply(struct gw_mailbox *replies, sem_t *woken, int64_t until_ms)
{
    struct gw_db_request *r = NULL;
    int64_t left_ms;
    while (!(r = gw_mailbox_pop(replies)) && (left_ms = until_ms - gw_clock_mono_ms()) > 0) {
        struct timespec until = wall_in(left_ms);
        (void)sem_timedwait(woken, &until);
    }
    return r;
}

static enum gw_code ask(struct gw_mailbox *requests, struct gw_mailbox *replies, sem_t *woken,
                        struct gw_catalog **out, struct gw_err *err)
{
    int64_t until_ms = gw_clock_mono_ms() + WAIT_MS;
    enum gw_code code = gw_err_set(err, GW_E_DATABASE_DOWN, "no answer while loading the catalog");
    while (code == GW_E_DATABASE_DOWN && gw_clock_mono_ms() < until_ms) {
        struct gw_db_request *r = gw_db_request_new(GW_DB_CATALOG, 1);
        if (gw_mailbox_push(requests, r, 0) != GW_OK) {
            gw_db_request_free(r);
            break;
        }
        if (!(r = wait_reply(replies, woken, until_ms)))
            break;
        code = r->code;
        *err = r->err;
        *out = r->catalog;
        r->catalog = NULL;
        gw_db_request_free(r);
        if (code == GW_E_DATABASE_DOWN)
            nanosleep(&(struct timespec){0, RETRY_MS * 1000000L}, NULL);
    }
    return code;
}

enum gw_code gw_catalog_once(const struct gw_settings *s, struct gw_catalog **out,
                             struct gw_err *err)
{
    const struct gw_db_config config = {
        .database_url = s->database_url,
        .query_url = s->query_url,
        .publication = s->publication,
        .access_publication = s->access_publication,
        .roles = (const char *const *)s->roles,
        .n_roles = s->n_roles,
        .claim_settings = s->claim_settings,
        .pool = 1,
        .statement_timeout_ms = s->ask_timeout_ms,
    };
    sem_t woken;
    sem_init(&woken, 0, 0);
    struct gw_db_link *link = gw_db_link_new(&config);
    struct gw_mailbox *replies = gw_mailbox_new(4, 0, wake, &woken);
    struct gw_mailbox *requests = gw_mailbox_new(4, 0, gw_loop_wake, gw_db_link_loop(link));
    *out = NULL;
    enum gw_code code = gw_db_link_start(link, replies, requests, err);
    if (code == GW_OK) {
        code = ask(requests, replies, &woken, out, err);
        gw_db_link_stop(link);
    }
    gw_db_link_free(link);
    gw_mailbox_free(replies, drop_request);
    gw_mailbox_free(requests, drop_request);
    sem_destroy(&woken);
    return code;
}
