/* From the first instruction of a process to its main: docs/process-initialisation.md. */

#include "jsix-run.h"

/* A handle and its name, as they lie on the initial stack. */
struct named {
    const char *name;
    jsix_handle handle;
};

jsix_handle jsix_self;
char **environ;

static const struct named *handles;
static size_t handle_count;
/* The machine, of a program that the kernel has started. */
static jsix_handle machine;

int main(int argc, char **argv);

/* The frame pointer is 0 here, so that whoever follows the chain of frames finds its end. */
__asm__(".text\n"
        ".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    xorl %ebp, %ebp\n"
        "    movq %rsp, %rdi\n"
        "    andq $-16, %rsp\n"
        "    call jsix_start\n"
        "    ud2\n"
        ".size _start, . - _start\n");

JSIX_NORETURN __attribute__((used, visibility("hidden"))) void jsix_start(uint64_t *stack) {
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    environ = argv + argc + 1;
    char **end = environ;
    while (*end)
        end++;
    for (uint64_t *entry = (uint64_t *)(end + 1); entry[0] != JSIX_AT_NULL; entry += 2) {
        switch (entry[0]) {
        case JSIX_AT_SELF_HANDLE: jsix_self = entry[1]; break;
        case JSIX_AT_SYSTEM_HANDLE: machine = entry[1]; break;
        case JSIX_AT_HANDLES: handles = (const struct named *)entry[1]; break;
        case JSIX_AT_HANDLE_COUNT: handle_count = entry[1]; break;
        default: break;
        }
    }
    jsix_exit((unsigned)main(argc, argv));
}

static int is_same(const char *one, const char *other) {
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

jsix_handle jsix_find(const char *name, unsigned place) {
    for (size_t index = 0; index < handle_count; index++)
        if (is_same(handles[index].name, name) && place-- == 0)
            return handles[index].handle;
    if (place == 0 && is_same(name, "self"))
        return jsix_self;
    if (place == 0 && is_same(name, "log"))
        return machine;
    return 0;
}

const char *jsix_env(const char *name) {
    for (char **variable = environ; *variable; variable++) {
        const char *at = *variable, *wanted = name;
        while (*wanted && *at == *wanted)
            at++, wanted++;
        if (!*wanted && *at == '=')
            return at + 1;
    }
    return 0;
}

void jsix_exit(unsigned status) { jsix_process_exit(status); }

/* What a function ends in whose stack protector finds that its frame was written over. */
JSIX_NORETURN __attribute__((used)) void __stack_chk_fail(void);
void __stack_chk_fail(void) {
    static const char text[] = "the stack was written over\n";
    jsix_write_error(text, sizeof text - 1);
    jsix_exit(134);
}
