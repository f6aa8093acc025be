/* token_cmd: `rowcast token`, which prints a token for development, signed with the setting
 * jwt_secret. Runs in the main thread and starts nothing. */
#ifndef GW_TOKEN_CMD_H
#define GW_TOKEN_CMD_H

/* argc/argv: what follows the command. Returns the exit code: 0 ok, 1 failed, 2 usage. */
int gw_token_cmd(int argc, char **argv);

#endif
