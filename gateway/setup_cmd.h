/* setup_cmd: `rowcast setup`, which makes a database ready: publication, its tables, replica
 * identity, the login for questions. Idempotent; what needs a decision is only proposed unless a
 * flag asks for it. Creates no slot: `serve` does, when it is ready to read from it. Main thread.
 */
#ifndef GW_SETUP_CMD_H
#define GW_SETUP_CMD_H

/* argc/argv: what follows the command. Returns the exit code: 0 ok, 1 failed, 2 usage. */
int gw_setup_cmd(int argc, char **argv);

#endif
