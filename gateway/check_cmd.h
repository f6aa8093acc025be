/* check_cmd: `rowcast check`, which says whether `serve` would work with these settings and this
 * database, and for each table and role how its readers are found and what is weaker than it could
 * be. Reads only. Main thread. */
#ifndef GW_CHECK_CMD_H
#define GW_CHECK_CMD_H

/* argc/argv: what follows the command. Returns the exit code: 0 `serve` would work (there may be
 * warnings), 1 it would not, 2 usage. */
int gw_check_cmd(int argc, char **argv);

#endif
