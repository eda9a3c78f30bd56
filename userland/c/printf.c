/* Text with numbers in it. */

#include <stdarg.h>

#include "jsix-run.h"

/* Bytes that are collected, so that a line is written at once. */
struct buffer {
    char bytes[256];
    size_t len;
    int result;
};

static void flush(struct buffer *out) {
    if (out->len && jsix_write(out->bytes, out->len) < 0)
        out->result = -1;
    out->len = 0;
}

static void put(struct buffer *out, char byte) {
    if (out->len == sizeof out->bytes)
        flush(out);
    out->bytes[out->len++] = byte;
}

static void put_padded(struct buffer *out, const char *text, size_t len, size_t width, char padding) {
    if (padding == '0' && len && *text == '-') {
        put(out, *text++);
        len--;
        width -= width != 0;
    }
    for (; len < width; width--)
        put(out, padding);
    while (len--)
        put(out, *text++);
}

static void put_number(struct buffer *out, uint64_t number, int is_negative, unsigned base, size_t width, char padding) {
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    if (is_negative)
        digits[--at] = '-';
    put_padded(out, digits + at, sizeof digits - at, width, padding);
}

int jsix_printf(const char *format, ...) {
    struct buffer out = {.len = 0, .result = 0};
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(&out, *format);
            continue;
        }
        format++;
        char padding = *format == '0' ? '0' : ' ';
        size_t width = 0;
        while (*format >= '0' && *format <= '9')
            width = width * 10 + (size_t)(*format++ - '0');
        int is_long = 0;
        for (; *format == 'l' || *format == 'z'; format++)
            is_long = 1;
        switch (*format) {
        case 'd':
        case 'i': {
            int64_t number = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
            uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
            put_number(&out, size, number < 0, 10, width, padding);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t number = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
            put_number(&out, number, 0, *format == 'u' ? 10 : 16, width, padding);
            break;
        }
        case 'p':
            put(&out, '0');
            put(&out, 'x');
            put_number(&out, (uint64_t)va_arg(arguments, void *), 0, 16, width, padding);
            break;
        case 'c':
            put(&out, (char)va_arg(arguments, int));
            break;
        case 's': {
            const char *text = va_arg(arguments, const char *);
            if (!text)
                text = "(null)";
            put_padded(&out, text, __builtin_strlen(text), width, ' ');
            break;
        }
        case '\0':
            /* A lone % at the end stands for itself. */
            put(&out, '%');
            format--;
            break;
        default:
            put(&out, *format);
            break;
        }
    }
    va_end(arguments);
    flush(&out);
    return out.result;
}
