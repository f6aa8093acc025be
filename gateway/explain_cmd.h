/* explain_cmd: `rowcast explain`, which says why a user does or does not see a row: the policies
 * that apply and how each is judged, what they look up, what they amount to for this user; and what
 * Postgres itself answers in the same snapshot. Changes nothing. Main thread. */
#ifndef GW_EXPLAIN_CMD_H
#define GW_EXPLAIN_CMD_H

/* argc/argv: what follows the command. Returns the exit code: 0 explained, 1 failed or Rowcast and
 * Postgres differ, 2 usage. */
int gw_explain_cmd(int argc, char **argv);

#endif
