/* serve: `rowcast serve`: starts the threads in order, waits for a signal, stops them in reverse. */
#ifndef GW_SERVE_H
#define GW_SERVE_H

/* argc/argv: what follows the command. Returns the exit code: 0 ok, 1 failed, 2 usage. */
int gw_serve_cmd(int argc, char **argv);

#endif
