/* Asks for a password on the terminal. */
#ifndef TARN_TOOLS_CLI_PASSWORD_H
#define TARN_TOOLS_CLI_PASSWORD_H

/* What was typed, each character shown as a star; freed by the caller with mem_free. When standard input is no
 * terminal, its first line is taken. Ends the process on ctrl-c. */
char *cli_password_ask(const char *prompt);

#endif
