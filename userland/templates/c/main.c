/* A first program for jsix. */

#include "jsix-run.h"

int main(int argc, char **argv) {
    jsix_printf("hello from C, ABI %lu\n", (unsigned long)jsix_abi_version());
    for (int index = 0; index < argc; index++)
        jsix_printf("argument %d: %s\n", index, argv[index]);
    return 0;
}
