/* time: see the header. The calendar is the proleptic Gregorian one. */
#include "gw/time.h"

#include <stdio.h>

#define US_PER_DAY INT64_C(86400000000)
#define FIRST_US INT64_C(-62167219200000000) /* 0000-01-01T00:00:00Z */
#define LAST_US INT64_C(253402300799999999)  /* 9999-12-31T23:59:59.999999Z */

struct civil {
    int64_t year;
    int month, day;
};

/* Day 0 is 1970-01-01. Counted in eras of 400 years from 0000-03-01, so that the leap day is the
 * last of its year and month lengths follow one linear formula. */
static struct civil civil_of_day(int64_t day)
{
    int64_t z = day + 719468; /* days from 0000-03-01 to 1970-01-01 */
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    struct civil c;
    c.day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = year_of_era + era * 400 + (c.month <= 2);
    return c;
}

void gw_us_format_iso(struct gw_us t, char out[25])
{
    int64_t us = t.v < FIRST_US ? FIRST_US : t.v > LAST_US ? LAST_US : t.v;
    int64_t day = us / US_PER_DAY, rest = us % US_PER_DAY;
    if (rest < 0) {
        rest += US_PER_DAY;
        day--;
    }
    struct civil c = civil_of_day(day);
    unsigned ms = (unsigned)(rest / 1000);
    char text[64];
    snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)c.year,
             (unsigned)c.month, (unsigned)c.day, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
             ms % 1000);
    for (int i = 0; i < 24; i++)
        out[i] = text[i];
    out[24] = '\0';
}
