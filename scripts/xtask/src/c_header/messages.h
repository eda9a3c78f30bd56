
/* What a message is, and how long: a label of 52 bits, the number of its words, and how many of them, the first ones, are
   handles. */
typedef uint64_t jsix_tag;

static inline jsix_tag jsix_tag_new(uint64_t label, unsigned handles, unsigned words) {
    return label << 12 | (uint64_t)(handles & 0xf) << 8 | (words & 0xff);
}
static inline uint64_t jsix_tag_label(jsix_tag tag) { return tag >> 12; }
static inline unsigned jsix_tag_handles(jsix_tag tag) { return tag >> 8 & 0xf; }
static inline unsigned jsix_tag_words(jsix_tag tag) { return tag & 0xff; }

/* A message. Words beyond the eighth lie in the buffer that jsix_mailbox_set_buffer has named. */
typedef struct {
    jsix_tag tag;
    uint64_t words[JSIX_MESSAGE_REGISTER_WORDS];
    uint64_t badge; /* Of a message that was received: that of the handle that it was sent by. */
} jsix_message;

/* Makes a call with a handle, a word and the words of a message; what comes back goes to *message. */
static inline jsix_error jsix_exchange(uint64_t number, jsix_handle handle, uint64_t second, jsix_message *message) {
    uint64_t *w = message->words;
    register uint64_t r10 __asm__("r10") = w[1];
    register uint64_t r8 __asm__("r8") = w[2];
    register uint64_t r9 __asm__("r9") = w[3];
    register uint64_t r12 __asm__("r12") = w[4];
    register uint64_t r13 __asm__("r13") = w[5];
    register uint64_t r14 __asm__("r14") = w[6];
    register uint64_t r15 __asm__("r15") = w[7];
    uint64_t rdx = w[0];
    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(handle), "+S"(second), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12),
                       "+r"(r13), "+r"(r14), "+r"(r15)
                     :
                     : "rcx", "r11", "memory");
    if (number == JSIX_OK) {
        message->tag = second;
        message->badge = handle;
        w[0] = rdx, w[1] = r10, w[2] = r8, w[3] = r9, w[4] = r12, w[5] = r13, w[6] = r14, w[7] = r15;
    }
    return number;
}

/* Sends a message and waits for the answer, which takes its place. */
static inline jsix_error jsix_mailbox_call(jsix_handle mailbox, jsix_message *message) {
    return jsix_exchange(JSIX_CALL_MAILBOX_CALL, mailbox, message->tag, message);
}

/* The same, at the latest until a time on the monotonic clock; for messages of at most seven words. */
static inline jsix_error jsix_mailbox_call_until(jsix_handle mailbox, jsix_message *message, uint64_t until) {
    if (jsix_tag_words(message->tag) >= JSIX_MESSAGE_REGISTER_WORDS)
        return JSIX_ERROR_INVALID_ARGUMENT;
    message->words[JSIX_MESSAGE_REGISTER_WORDS - 1] = until;
    return jsix_exchange(JSIX_CALL_MAILBOX_CALL_UNTIL, mailbox, message->tag, message);
}

/* Waits for a message, at the latest until a time on the monotonic clock; 0 only looks. */
static inline jsix_error jsix_mailbox_receive(jsix_handle mailbox, uint64_t until, jsix_message *message) {
    return jsix_exchange(JSIX_CALL_MAILBOX_RECEIVE, mailbox, until, message);
}

/* Answers the call whose message was received last. */
static inline jsix_error jsix_mailbox_reply(jsix_handle mailbox, const jsix_message *message) {
    jsix_message copy = *message;
    return jsix_exchange(JSIX_CALL_MAILBOX_REPLY, mailbox, copy.tag, &copy);
}

/* Answers, if there is somebody to answer, and waits for the next message, which takes the place of the answer. */
static inline jsix_error jsix_mailbox_reply_receive(jsix_handle mailbox, jsix_message *message) {
    return jsix_exchange(JSIX_CALL_MAILBOX_REPLY_RECEIVE, mailbox, message->tag, message);
}

/* Answers the call that a handle of jsix_mailbox_detach stands for. */
static inline jsix_error jsix_reply_answer(jsix_handle reply, const jsix_message *message) {
    jsix_message copy = *message;
    return jsix_exchange(JSIX_CALL_REPLY_ANSWER, reply, copy.tag, &copy);
}

#ifdef __cplusplus
}
#endif

#endif
