/* What programs in C have besides the system calls of jsix.h: what they were given, standard input and output.

   userland/c has the code; docs/first-program.md says how to link it. */

#ifndef JSIX_RUN_H
#define JSIX_RUN_H

#include <stddef.h>

#include "jsix.h"

#ifdef __cplusplus
extern "C" {
#endif

/* This process. */
extern jsix_handle jsix_self;
/* The environment: texts of the form name=value, and a null pointer. */
extern char **environ;

/* The value of a variable of the environment; null if there is none. */
const char *jsix_env(const char *name);

/* The handle of this name that comes at this place among those of the name; 0 if there is none. */
jsix_handle jsix_find(const char *name, unsigned place);

/* Reads from standard input. Returns how many bytes, 0 at the end, or -1 when there is no standard input. */
long jsix_read(void *buffer, size_t len);

/* Writes all of it to standard output, or to the log when there is none. Returns 0, or -1 when nobody takes it any more. */
int jsix_write(const void *bytes, size_t len);

/* The same for what goes wrong: to standard error, or to standard output when there is none. */
int jsix_write_error(const void *bytes, size_t len);

/* Writes text to standard output: %d %i %u %x %c %s %p %%, with l, ll or z, a width, and 0 before it. Returns 0, or -1. */
int jsix_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the process with a status. */
JSIX_NORETURN void jsix_exit(unsigned status);

#ifdef __cplusplus
}
#endif

#endif
