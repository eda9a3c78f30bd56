/* Standard input and output: ends of byte channels. The other side is of the same kind, or that of userland/sys/src/channel.rs, where
   it is said why no wake-up is lost. */

#include "jsix-run.h"

/* What both sides know of one of them. */
struct side {
    _Alignas(64) uint64_t position;
    uint32_t is_waiting;
    uint32_t is_closed;
    /* Bits of its event: the other side has moved, the other side is gone. */
    uint64_t moved;
    uint64_t closed;
};

struct positions {
    struct side writer;
    struct side reader;
};

/* An end of a channel. */
struct end {
    enum { NEW, OPEN, ABSENT } state;
    unsigned char *ring;
    uint64_t room;
    struct side *own;
    struct side *other;
    jsix_handle event;
    jsix_handle other_event;
    uint64_t position;
    int is_other_gone;
};

static struct end input, output, errors;

#define LOAD(place) __atomic_load_n(place, __ATOMIC_SEQ_CST)
#define STORE(place, value) __atomic_store_n(place, value, __ATOMIC_SEQ_CST)
#define SWAP(place, value) __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST)

static void open_end(struct end *end, const char *name, int writes) {
    if (end->state != NEW)
        return;
    end->state = ABSENT;
    jsix_handle handles[4];
    for (unsigned place = 0; place < 4; place++)
        if (!(handles[place] = jsix_find(name, place)))
            return;
    jsix_area_info_t info;
    if (jsix_vm_area_info(handles[0], &info) != JSIX_OK || info.kind != JSIX_AREA_RING || !info.size)
        return;
    uint64_t access = JSIX_ACCESS_READ | (writes ? JSIX_ACCESS_WRITE : 0);
    uint64_t ring, positions;
    if (jsix_process_map(jsix_self, handles[0], 0, 0, info.size, access, &ring) != JSIX_OK)
        return;
    access = JSIX_ACCESS_READ | JSIX_ACCESS_WRITE;
    if (jsix_process_map(jsix_self, handles[1], 0, 0, JSIX_PAGE_SIZE, access, &positions) != JSIX_OK)
        return;
    struct positions *page = (struct positions *)positions;
    end->ring = (unsigned char *)ring;
    end->room = info.size / 2;
    end->own = writes ? &page->writer : &page->reader;
    end->other = writes ? &page->reader : &page->writer;
    end->event = handles[writes ? 3 : 2];
    end->other_event = handles[writes ? 2 : 3];
    end->position = LOAD(&end->own->position);
    end->state = OPEN;
}

/* How many bytes can be moved; 0 when the other side has to move first, -1 when there will be none any more. */
static int64_t look(struct end *end, int writes) {
    int is_gone = end->is_other_gone || LOAD(&end->other->is_closed);
    uint64_t theirs = LOAD(&end->other->position);
    uint64_t filled = writes ? end->position - theirs : theirs - end->position;
    /* Who tells a position that cannot be is as good as gone. */
    if (filled > end->room || (writes && is_gone))
        return -1;
    uint64_t count = writes ? end->room - filled : filled;
    return count ? (int64_t)count : is_gone ? -1 : 0;
}

static int64_t wait_for(struct end *end, int writes) {
    for (;;) {
        int64_t count = look(end, writes);
        if (count)
            return count;
        if (!SWAP(&end->own->is_waiting, 1u))
            continue;
        uint64_t mask = end->own->moved | end->own->closed, bits;
        if (jsix_event_wait(end->event, mask, 0, JSIX_NEVER, &bits) != JSIX_OK)
            return -1;
        if (bits & end->own->closed & ~end->own->moved)
            end->is_other_gone = 1;
    }
}

static void advance(struct end *end, uint64_t count) {
    end->position += count;
    STORE(&end->own->position, end->position);
    if (SWAP(&end->other->is_waiting, 0u))
        jsix_event_signal(end->other_event, end->other->moved);
}

static int write_to(struct end *end, const unsigned char *bytes, size_t len) {
    while (len) {
        int64_t room = wait_for(end, 1);
        if (room < 0)
            return -1;
        size_t count = (uint64_t)room < len ? (size_t)room : len;
        __builtin_memcpy(end->ring + end->position % end->room, bytes, count);
        advance(end, count);
        bytes += count;
        len -= count;
    }
    return 0;
}

/* The log takes a line at a time, and not too much of it. */
static int write_to_log(const char *bytes, size_t len) {
    jsix_handle log = jsix_find("log", 0);
    static char line[JSIX_LOG_WRITE_MAX];
    static size_t filled;
    for (; len; bytes++, len--) {
        if (*bytes != '\n')
            line[filled++] = *bytes;
        if (*bytes == '\n' || filled == sizeof line) {
            if (jsix_system_log_write(log, JSIX_LOG_INFO, line, filled) != JSIX_OK)
                return -1;
            filled = 0;
        }
    }
    return 0;
}

long jsix_read(void *buffer, size_t len) {
    open_end(&input, "stdin", 0);
    if (input.state != OPEN)
        return -1;
    if (!len)
        return 0;
    int64_t there = wait_for(&input, 0);
    if (there < 0)
        return 0;
    size_t count = (uint64_t)there < len ? (size_t)there : len;
    __builtin_memcpy(buffer, input.ring + input.position % input.room, count);
    advance(&input, count);
    return (long)count;
}

int jsix_write(const void *bytes, size_t len) {
    open_end(&output, "stdout", 1);
    if (output.state != OPEN)
        return write_to_log(bytes, len);
    return write_to(&output, bytes, len);
}

int jsix_write_error(const void *bytes, size_t len) {
    open_end(&errors, "stderr", 1);
    if (errors.state != OPEN)
        return jsix_write(bytes, len);
    return write_to(&errors, bytes, len);
}
