/* The functions that compilers call of their own accord. */

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len) {
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(len) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t len) {
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(byte) : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t len) {
    if ((size_t)to - (size_t)from >= len)
        return memcpy(to, from, len);
    /* It overlaps, and goes up: from the end on. */
    char *last = (char *)to + len - 1;
    const char *source = (const char *)from + len - 1;
    __asm__ volatile("std\n rep movsb\n cld" : "+D"(last), "+S"(source), "+c"(len) : : "memory");
    return to;
}

int memcmp(const void *one, const void *other, size_t len) {
    const unsigned char *a = one, *b = other;
    for (; len; a++, b++, len--)
        if (*a != *b)
            return *a < *b ? -1 : 1;
    return 0;
}

size_t strlen(const char *text) {
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}
