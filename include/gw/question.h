/* question: asking Postgres whether a caller may see row images, without touching the table.
 *
 * The SQL takes one parameter, an array of the table's row type, and yields one boolean per element
 * in order: the policies that apply to a role (permissive ones ORed, restrictive ones ANDed),
 * evaluated over the image; sub-selects inside look at the tables as they stand, under the caller's
 * own rights. The FROM alias is the table's name, because pg_get_expr qualifies outer columns with
 * it inside sub-selects; unnest of the row array keeps whole-row references typed. */
#ifndef GW_QUESTION_H
#define GW_QUESTION_H

#include "gw/catalog.h"
#include "gw/txn.h"

/* Write the question for role_id on t into out. false: no permissive policy applies (nobody).
 * Stored generated columns are computed when t->access[role_id].reads has them, else left NULL. */
bool gw_question_write(struct gw_buf *out, const struct gw_catalog_table *t, unsigned role_id);

/* Whether every column the policies read is in the image, under its present name and type. */
bool gw_question_can_judge(const struct gw_catalog_table *t, const struct gw_table_access *access,
                           const struct gw_relation *rel, const struct gw_image *image);

/* The parameter: an array literal, '{"(1,\"a\")",…}'. Open, add each image, close. Columns map by
 * name; what the image lacks is NULL. */
void gw_question_rows_open(struct gw_buf *out);
void gw_question_rows_add(struct gw_buf *out, const struct gw_catalog_table *t,
                          const struct gw_relation *rel, const struct gw_image *image);
void gw_question_rows_close(struct gw_buf *out);

#endif
