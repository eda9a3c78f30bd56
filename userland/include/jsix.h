/* Written by `cargo run -p xtask -- abi-doc` from kernel/abi/src/table.rs. Do not edit.

   The system calls of jsix for programs in C, freestanding: C11, GCC or Clang. docs/abi.md says what each call does,
   docs/first-program.md how to make a program. Every call that can fail returns an error, JSIX_OK for none. */

#ifndef JSIX_H
#define JSIX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define JSIX_NORETURN [[noreturn]]
#else
#define JSIX_NORETURN _Noreturn
#endif

/* A process's name for an object. 0 names nothing. */
typedef uint64_t jsix_handle;

/* The contract, and its limits. */
#define JSIX_ABI_VERSION 5
#define JSIX_INIT_VERSION 1
#define JSIX_PAGE_SIZE 0x1000u
#define JSIX_USER_END 0x7ffffffff000u
#define JSIX_NAME_MAX 32
#define JSIX_LOG_WRITE_MAX 1024
#define JSIX_LOG_READ_MAX 0x10000u
#define JSIX_PROCESS_READ_MAX 0x10000u
#define JSIX_CPU_SET_MAX 128

/* Tags of the auxiliary vector: docs/process-initialisation.md. */
#define JSIX_AT_NULL 0
#define JSIX_AT_PHDR 3
#define JSIX_AT_PHENT 4
#define JSIX_AT_PHNUM 5
#define JSIX_AT_PAGESZ 6
#define JSIX_AT_BASE 7
#define JSIX_AT_ENTRY 9
#define JSIX_AT_RANDOM 25
#define JSIX_AT_ABI_VERSION 0x6a730000u
#define JSIX_AT_SELF_HANDLE 0x6a730001u
#define JSIX_AT_SYSTEM_HANDLE 0x6a730002u
#define JSIX_AT_MEMORY_HANDLE 0x6a730003u
#define JSIX_AT_PORTS_HANDLE 0x6a730004u
#define JSIX_AT_LINES_HANDLE 0x6a730005u
#define JSIX_AT_INIT_VERSION 0x6a730006u
#define JSIX_AT_HANDLES 0x6a730007u
#define JSIX_AT_HANDLE_COUNT 0x6a730008u

/* Areas: kinds, and how devices' memory is cached. */
#define JSIX_AREA_OPEN 0
#define JSIX_AREA_GUARDED 1
#define JSIX_AREA_RING 2
#define JSIX_AREA_FIXED 3
#define JSIX_AREA_UNCACHED 0
#define JSIX_AREA_WRITE_COMBINING 1

/* Processes: states, how memory was accessed, why that failed, and the answers to exceptions. */
#define JSIX_PROCESS_RUNNING 0
#define JSIX_PROCESS_EXITED 1
#define JSIX_PROCESS_FAULTED 2
#define JSIX_PROCESS_READ 0
#define JSIX_PROCESS_WRITE 1
#define JSIX_PROCESS_EXECUTE 2
#define JSIX_PROCESS_OTHER 0
#define JSIX_PROCESS_NOT_MAPPED 1
#define JSIX_PROCESS_PROTECTION 2
#define JSIX_PROCESS_GUARD 3
#define JSIX_PROCESS_BEYOND_AREA 4
#define JSIX_PROCESS_OUT_OF_MEMORY 5
#define JSIX_PROCESS_OVER_LIMIT 6
#define JSIX_PROCESS_RETRY 0
#define JSIX_PROCESS_END 1

/* Threads. */
#define JSIX_THREAD_RUNNABLE 0
#define JSIX_THREAD_WAITING 1
#define JSIX_THREAD_SUSPENDED 2
#define JSIX_THREAD_ENDED 3
#define JSIX_THREAD_PRIORITIES 8
#define JSIX_THREAD_NORMAL_PRIORITY 4
#define JSIX_THREAD_AT_BORDER 0
#define JSIX_THREAD_IN_CALL 1
#define JSIX_THREAD_FLAGS 0x240dd5u

/* Messages. */
#define JSIX_MESSAGE_REGISTER_WORDS 8
#define JSIX_MESSAGE_WORDS_MAX 64
#define JSIX_MESSAGE_HANDLES_MAX 8

/* Resources: kinds. */
#define JSIX_RESOURCE_MEMORY 0
#define JSIX_RESOURCE_PORTS 1
#define JSIX_RESOURCE_LINES 2

/* Interrupts: how a line is taken. */
#define JSIX_INTERRUPT_AS_WIRED 0
#define JSIX_INTERRUPT_EDGE_HIGH 1
#define JSIX_INTERRUPT_EDGE_LOW 2
#define JSIX_INTERRUPT_LEVEL_HIGH 3
#define JSIX_INTERRUPT_LEVEL_LOW 4

/* The log: how important a record is. */
#define JSIX_LOG_ERROR 1
#define JSIX_LOG_WARN 2
#define JSIX_LOG_INFO 3
#define JSIX_LOG_DEBUG 4
#define JSIX_LOG_TRACE 5

/* Consoles of the kernel, and what can be done with the machine's power. */
#define JSIX_MACHINE_SERIAL 1
#define JSIX_MACHINE_SCREEN 2
#define JSIX_MACHINE_OFF 0
#define JSIX_MACHINE_RESTART 1
#define JSIX_NEVER 0xffffffffffffffffu
#define JSIX_ANY_CPU 0xffffffffffffffffu

/* Why a call had no effect. */
typedef uint64_t jsix_error;
#define JSIX_OK 0
#define JSIX_ERROR_UNKNOWN_CALL 1
#define JSIX_ERROR_BAD_HANDLE 2
#define JSIX_ERROR_WRONG_TYPE 3
#define JSIX_ERROR_ACCESS_DENIED 4
#define JSIX_ERROR_BAD_ADDRESS 5
#define JSIX_ERROR_INVALID_ARGUMENT 6
#define JSIX_ERROR_OUT_OF_MEMORY 7
#define JSIX_ERROR_OCCUPIED 8
#define JSIX_ERROR_NOT_MAPPED 9
#define JSIX_ERROR_NO_ROOM 10
#define JSIX_ERROR_OVER_LIMIT 11
#define JSIX_ERROR_TOO_MANY 12
#define JSIX_ERROR_NOT_READY 13
#define JSIX_ERROR_ENDED 14
#define JSIX_ERROR_NOT_SUPPORTED 15
#define JSIX_ERROR_TIMED_OUT 16
#define JSIX_ERROR_PEER_CLOSED 17
#define JSIX_ERROR_NOT_TAKEN 18
#define JSIX_ERROR_CHANGED 19

/* What an error means, in words. */
static inline const char *jsix_error_text(jsix_error error) {
    switch (error) {
    case JSIX_OK: return "no error";
    case JSIX_ERROR_UNKNOWN_CALL: return "there is no system call of this number";
    case JSIX_ERROR_BAD_HANDLE: return "the handle names nothing";
    case JSIX_ERROR_WRONG_TYPE: return "the handle names an object of another type";
    case JSIX_ERROR_ACCESS_DENIED: return "the handle lacks the right for this";
    case JSIX_ERROR_BAD_ADDRESS: return "a part of the memory range is not accessible user memory";
    case JSIX_ERROR_INVALID_ARGUMENT: return "an argument is outside of what the call takes";
    case JSIX_ERROR_OUT_OF_MEMORY: return "memory is short";
    case JSIX_ERROR_OCCUPIED: return "somebody has it: something is mapped in the range, the line is taken";
    case JSIX_ERROR_NOT_MAPPED: return "a part of the range is not mapped";
    case JSIX_ERROR_NO_ROOM: return "the address space has no gap of this size";
    case JSIX_ERROR_OVER_LIMIT: return "the process has reached its memory limit";
    case JSIX_ERROR_TOO_MANY: return "the process has as many of these as it may";
    case JSIX_ERROR_NOT_READY: return "there is nothing to report yet, or nothing that could be changed";
    case JSIX_ERROR_ENDED: return "the process or thread has ended";
    case JSIX_ERROR_NOT_SUPPORTED: return "objects of this kind cannot do this";
    case JSIX_ERROR_TIMED_OUT: return "it did not happen in time";
    case JSIX_ERROR_PEER_CLOSED: return "the other side is gone";
    case JSIX_ERROR_NOT_TAKEN: return "the other side has no room for the message";
    case JSIX_ERROR_CHANGED: return "the word has another value";
    default: return "an error that this program does not know";
    }
}

/* Types of objects, as jsix_handle_info tells. */
#define JSIX_OBJECT_PROCESS 1
#define JSIX_OBJECT_THREAD 2
#define JSIX_OBJECT_VM_AREA 3
#define JSIX_OBJECT_EVENT 4
#define JSIX_OBJECT_MAILBOX 6
#define JSIX_OBJECT_RESOURCE 7
#define JSIX_OBJECT_INTERRUPT 9
#define JSIX_OBJECT_SYSTEM 5
#define JSIX_OBJECT_REPLY 8

/* What a handle allows. */
#define JSIX_RIGHT_DUPLICATE 0x1 /* Make further handles. */
#define JSIX_RIGHT_TRANSFER 0x2 /* Give the handle to another process. */
#define JSIX_RIGHT_INSPECT 0x4 /* Ask about the object. */
#define JSIX_RIGHT_TRACE 0x8 /* Record what the processors do, and read it. */
#define JSIX_RIGHT_KILL 0x10 /* End it. */
#define JSIX_RIGHT_MAP 0x20 /* Change its mappings. */
#define JSIX_RIGHT_CREATE_THREAD 0x40 /* Start threads in it. */
#define JSIX_RIGHT_GIVE 0x80 /* Give handles to it. */
#define JSIX_RIGHT_HANDLE_EXCEPTIONS 0x100 /* Learn of and answer its exceptions. */
#define JSIX_RIGHT_SET_LIMIT 0x200 /* Set its memory limit. */
#define JSIX_RIGHT_MAP_READ 0x1000 /* Map for reading; take a snapshot. */
#define JSIX_RIGHT_MAP_WRITE 0x2000 /* Map for writing; commit and decommit pages. */
#define JSIX_RIGHT_MAP_EXECUTE 0x4000 /* Map for execution. */
#define JSIX_RIGHT_RESIZE 0x8000 /* Change the size. */
#define JSIX_RIGHT_SIGNAL 0x10000 /* Set bits. */
#define JSIX_RIGHT_WAIT 0x20000 /* Wait for bits and clear them. */
#define JSIX_RIGHT_CALL 0x40000 /* Send messages and get answers. */
#define JSIX_RIGHT_RECEIVE 0x80000 /* Receive messages and answer; make handles to call by. */
#define JSIX_RIGHT_MANAGE 0x100000 /* Suspend and resume it; say how urgent it is and where it runs. */
#define JSIX_RIGHT_USE 0x200000 /* Make areas of it; give processes access to its ports; take its lines. */
#define JSIX_RIGHT_ACKNOWLEDGE 0x800000 /* Be told when it fires, and let it fire again. */
#define JSIX_RIGHT_ANSWER 0x400000 /* Answer the call. */
#define JSIX_RIGHT_STATISTICS 0x1000000 /* Ask for the statistics of memory and processors. */
#define JSIX_RIGHT_LOG_WRITE 0x2000000 /* Write to the log. */
#define JSIX_RIGHT_DEBUG 0x4000000 /* Process: have its threads, read its memory. Thread: read and change its registers. */
#define JSIX_RIGHT_LOG_READ 0x8000000 /* Read the log. */
#define JSIX_RIGHT_CONSOLE 0x10000000 /* Say where the kernel shows its log. */
#define JSIX_RIGHT_POWER 0x20000000 /* Switch the machine off, restart it. */
#define JSIX_RIGHT_DEVICES 0x40000000 /* Ask for the devices that the firmware names. */
#define JSIX_RIGHT_PROCESSES 0x80000000 /* Get a handle of any process. */

/* Bits of arguments, by the arguments' names. */
#define JSIX_ACCESS_READ 0x1
#define JSIX_ACCESS_WRITE 0x2
#define JSIX_ACCESS_EXECUTE 0x4
#define JSIX_ACCESS_AT_ADDRESS 0x8
#define JSIX_HOW_SUSPEND 0x1
#define JSIX_HOW_ALL 0x1
#define JSIX_HOW_KEEP 0x2
#define JSIX_CONSOLES_SERIAL 0x1
#define JSIX_CONSOLES_SCREEN 0x2

/* What handle_info tells. */
typedef struct {
    uint64_t kind; /* Type of the object: [ObjectType::number. */
    uint64_t rights; /* What the handle allows: [Rights. */
    uint64_t object; /* A number of the object's own. Two handles name one object if they have the same number here; when the object is gone, another may get its number. */
} jsix_handle_info_t;

/* What vm_area_info tells. */
typedef struct {
    uint64_t kind; /* One of the kinds above. */
    uint64_t size; /* Length in bytes, as a mapping sees it. */
    uint64_t committed; /* Bytes that have pages. */
    uint64_t mappings; /* Mappings of it, in all processes. */
    uint64_t shared; /* Of committed, the bytes in pages that are shared with a snapshot. */
    uint64_t large; /* Of committed, the bytes in large (2 MiB) pages. */
} jsix_area_info_t;

/* What process_info tells. */
typedef struct {
    uint64_t state; /* One of the states above. */
    uint64_t status; /* The exit status, or the vector of the exception. */
    uint64_t memory; /* Bytes of memory that count against the limit: pages of its areas, page tables, kernel stacks, and what the processes use that it made. */
    uint64_t limit; /* The limit, in bytes. */
    uint64_t threads; /* Threads. */
    uint64_t mappings; /* Mappings. */
    uint64_t handles; /* Handles. */
    uint64_t faults; /* Pages that were provided at a fault. */
} jsix_process_info_t;

/* Why a thread waits. */
typedef struct {
    uint64_t thread; /* Number of the thread, unique for the life of the system. */
    uint64_t vector; /* Vector of the exception. */
    uint64_t address; /* The address that was accessed; for page faults only. */
    uint64_t access; /* How. */
    uint64_t reason; /* Why it failed. */
    uint64_t instruction; /* The instruction. */
    uint64_t error_code; /* The error code that the processor gave. */
} jsix_process_exception_t;

/* What a process is and has used, as a list of processes shows it. */
typedef struct {
    uint64_t number; /* Its number, unique for the life of the system. */
    uint64_t parent; /* The number of the process that made it; 0 for one that the kernel started. */
    uint64_t name_0; /* Its name in UTF-8, followed by zeros: bytes 0 to 7, the first one in the lowest bits. See [Usage::name. */
    uint64_t name_1; /* Bytes 8 to 15 of the name. */
    uint64_t name_2; /* Bytes 16 to 23 of the name. */
    uint64_t name_3; /* Bytes 24 to 31 of the name. */
    uint64_t threads; /* Threads. */
    uint64_t memory; /* Bytes of memory, as [Info::memory. */
    uint64_t ran; /* For how long its threads have run, those that have ended included, in nanoseconds. */
    uint64_t switches; /* How often its threads were given a processor, those that have ended included. */
} jsix_process_usage_t;

/* What thread_info tells. */
typedef struct {
    uint64_t number; /* Number of the thread, unique for the life of the system. */
    uint64_t state; /* One of the states above. */
    uint64_t priority; /* The priority that it was given. */
    uint64_t effective_priority; /* The priority that it has while others wait for it. */
    uint64_t processor; /* The processor that it was last on; [crate::process::ANY_CPU when it was on none yet. */
    uint64_t ran; /* For how long it has run, in nanoseconds. */
    uint64_t switches; /* How often it was given a processor, after another thread or after that was idle. */
} jsix_thread_info_t;

/* What a processor has done since it started. */
typedef struct {
    uint64_t now; /* The time of these figures on the monotonic clock, in nanoseconds. */
    uint64_t busy; /* For how long threads ran on it, in nanoseconds. It was idle for the rest. */
    uint64_t switches; /* How often it has gone from one thread to another, or to or from being idle. */
    uint64_t interrupts; /* Interrupts that it took. */
    uint64_t runnable; /* Threads that run or wait to run on it. */
} jsix_statistics_processor_t;

/* A handle of some process, as process_next_handle tells of it. */
typedef struct {
    uint64_t index; /* The slot in its table: the lower half of the handle. */
    uint64_t handle; /* The handle. */
    uint64_t kind; /* Type of the object: [ObjectType::number. */
    uint64_t rights; /* What the handle allows: [Rights. */
    uint64_t object; /* The number of the object, as in [Info::object. */
} jsix_handle_entry_t;

/* A mapping, as process_next_area tells of it. */
typedef struct {
    uint64_t address; /* Where it begins. */
    uint64_t len; /* Bytes. */
    uint64_t access; /* What it allows: [READ, [WRITE, [EXECUTE. */
    uint64_t kind; /* The kind of its area. */
    uint64_t offset; /* Where in the area it begins. */
    uint64_t committed; /* Bytes of the whole area that have pages. */
    uint64_t size; /* Bytes of the whole area, as a mapping sees it. */
    uint64_t object; /* The number of the area, as in [crate::handle::Info::object. */
} jsix_area_entry_t;

/* The registers of a stopped thread. For one that is within a call they are those with which it made the
   call: RAX is the number of the call. Within a call that brings a message, which may come at any moment,
   RCX, RDX, RSI, RDI and R8 to R15 read as 0. */
typedef struct {
    uint64_t rax; /* RAX. */
    uint64_t rbx; /* RBX. */
    uint64_t rcx; /* RCX. */
    uint64_t rdx; /* RDX. */
    uint64_t rsi; /* RSI. */
    uint64_t rdi; /* RDI. */
    uint64_t rbp; /* RBP. */
    uint64_t rsp; /* RSP: an address in user space. */
    uint64_t r8; /* R8. */
    uint64_t r9; /* R9. */
    uint64_t r10; /* R10. */
    uint64_t r11; /* R11. */
    uint64_t r12; /* R12. */
    uint64_t r13; /* R13. */
    uint64_t r14; /* R14. */
    uint64_t r15; /* R15. */
    uint64_t rip; /* The next instruction: an address in user space. */
    uint64_t rflags; /* RFLAGS: see [FLAGS. */
    uint64_t fs_base; /* The base of FS, as it was set last, an address in user space. The program loses it when it loads a selector to FS. */
    uint64_t gs_base; /* The base of GS, likewise. */
    uint64_t place; /* [AT_BORDER or [IN_CALL. */
} jsix_thread_registers_t;

/* What resource_info tells. */
typedef struct {
    uint64_t kind; /* One of the kinds above. */
    uint64_t start; /* The first one that belongs to it. */
    uint64_t len; /* How many there are. */
} jsix_resource_info_t;

/* Memory and processors of the machine. Memory counts in frames of 4 KiB; all frames are free or used for one
   purpose. */
typedef struct {
    uint64_t processors; /* Processors that run. */
    uint64_t total; /* All frames that the kernel manages. */
    uint64_t free; /* Free frames, those in the caches of processors included. */
    uint64_t cached; /* Of the free ones, those in the caches of processors. */
    uint64_t user; /* Pages of areas. */
    uint64_t tables; /* Page tables of processes. */
    uint64_t heap; /* The kernel's heap. */
    uint64_t stacks; /* Kernel stacks. */
    uint64_t other; /* Everything else: page tables of the kernel, memory of devices. */
    uint64_t heap_used; /* Bytes of the kernel's heap that are in use. What it keeps to use it again, of its own accord, does not count. */
    uint64_t shootdowns; /* TLB shootdowns that were sent to other processors. */
} jsix_statistics_t;

/* What system_framebuffer tells. */
typedef struct {
    uint64_t address; /* Physical address of the first pixel. */
    uint64_t width; /* Pixels of a row. */
    uint64_t height; /* Rows. */
    uint64_t pitch; /* Bytes from one row to the next. */
    uint64_t bytes_per_pixel; /* Bytes of a pixel: 3 or 4. */
    uint64_t red_shift; /* The lowest bit of red in a pixel. */
    uint64_t green_shift; /* The lowest bit of green. */
    uint64_t blue_shift; /* The lowest bit of blue. */
} jsix_framebuffer_t;

/* What system_device tells. */
typedef struct {
    uint64_t hid_0; /* Its identifier, as PNP0501: text of up to 16 bytes, then zeros. Bytes 0 to 7, the first one in the lowest bits. See [Device::hid. */
    uint64_t hid_1; /* Bytes 8 to 15 of the identifier. */
    uint64_t uid_0; /* What tells devices of one identifier apart; a number is given in decimal. Text, as the identifier; may be empty. */
    uint64_t uid_1; /* Bytes 8 to 15 of it. */
    uint64_t path_0; /* Its name in the firmware's tree, as \_SB_.PCI0.S08_.COM1, cut to 64 bytes. Bytes 0 to 7. */
    uint64_t path_1; /* Bytes 8 to 15 of the name. */
    uint64_t path_2; /* Bytes 16 to 23 of the name. */
    uint64_t path_3; /* Bytes 24 to 31 of the name. */
    uint64_t path_4; /* Bytes 32 to 39 of the name. */
    uint64_t path_5; /* Bytes 40 to 47 of the name. */
    uint64_t path_6; /* Bytes 48 to 55 of the name. */
    uint64_t path_7; /* Bytes 56 to 63 of the name. */
    uint64_t resources; /* How many resources are given below, 8 at most. */
    uint64_t left_out; /* How many more it has. */
    uint64_t kind_0; /* Resource 0: [crate::resource::PORTS, [crate::resource::MEMORY or [crate::resource::LINES. */
    uint64_t start_0; /* Its first port, address or line. */
    uint64_t len_0; /* How many there are. */
    uint64_t flags_0; /* Of lines: [LEVEL, [ACTIVE_LOW, [SHARED; of memory: [WRITABLE. */
    uint64_t kind_1; /* Kind of resource 1. */
    uint64_t start_1; /* Where it starts. */
    uint64_t len_1; /* How many there are. */
    uint64_t flags_1; /* Its flags. */
    uint64_t kind_2; /* Kind of resource 2. */
    uint64_t start_2; /* Where it starts. */
    uint64_t len_2; /* How many there are. */
    uint64_t flags_2; /* Its flags. */
    uint64_t kind_3; /* Kind of resource 3. */
    uint64_t start_3; /* Where it starts. */
    uint64_t len_3; /* How many there are. */
    uint64_t flags_3; /* Its flags. */
    uint64_t kind_4; /* Kind of resource 4. */
    uint64_t start_4; /* Where it starts. */
    uint64_t len_4; /* How many there are. */
    uint64_t flags_4; /* Its flags. */
    uint64_t kind_5; /* Kind of resource 5. */
    uint64_t start_5; /* Where it starts. */
    uint64_t len_5; /* How many there are. */
    uint64_t flags_5; /* Its flags. */
    uint64_t kind_6; /* Kind of resource 6. */
    uint64_t start_6; /* Where it starts. */
    uint64_t len_6; /* How many there are. */
    uint64_t flags_6; /* Its flags. */
    uint64_t kind_7; /* Kind of resource 7. */
    uint64_t start_7; /* Where it starts. */
    uint64_t len_7; /* How many there are. */
    uint64_t flags_7; /* Its flags. */
} jsix_device_t;

/* What interrupt_info tells. */
typedef struct {
    uint64_t line; /* The number of the line: its global system interrupt. */
    uint64_t mode; /* How it is taken: one of the numbers above but [AS_WIRED. */
    uint64_t processor; /* The processor that gets it. */
    uint64_t fired; /* How often it has fired. */
    uint64_t unacknowledged; /* How often of that since it was acknowledged; a level at most once. */
} jsix_interrupt_info_t;

/* Makes a call by its number. What it returns besides the error goes to *value, if that is not null. */
static inline jsix_error jsix_syscall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                                      uint64_t a4, uint64_t a5, uint64_t *value) {
    register uint64_t r10 __asm__("r10") = a3;
    register uint64_t r8 __asm__("r8") = a4;
    register uint64_t r9 __asm__("r9") = a5;
    __asm__ volatile("syscall"
                     : "+a"(number), "+d"(a2)
                     : "D"(a0), "S"(a1), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (value && number == JSIX_OK)
        *value = a2;
    return number;
}

/* General: What needs no handle. */
#define JSIX_CALL_ABI_VERSION 0x00
#define JSIX_CALL_CLOCK_READ 0x01

/* Returns the version of the ABI that the kernel speaks. */
static inline uint64_t jsix_abi_version(void) {
    uint64_t value = 0;
    jsix_syscall(JSIX_CALL_ABI_VERSION, 0, 0, 0, 0, 0, 0, &value);
    return value;
}

/* Returns the nanoseconds since the kernel's start. */
static inline uint64_t jsix_clock_read(void) {
    uint64_t value = 0;
    jsix_syscall(JSIX_CALL_CLOCK_READ, 0, 0, 0, 0, 0, 0, &value);
    return value;
}

/* Handles: Handles, whatever they name. */
#define JSIX_CALL_HANDLE_CLOSE 0x10
#define JSIX_CALL_HANDLE_DUPLICATE 0x11
#define JSIX_CALL_HANDLE_REVOKE 0x12
#define JSIX_CALL_HANDLE_INFO 0x13
#define JSIX_CALL_HANDLE_GIVE 0x14

/* Gives a handle up. What it named lives on while other handles or mappings of it do; handles made from it
   now count as made from what it was made from. */
static inline jsix_error jsix_handle_close(jsix_handle handle) {
    return jsix_syscall(JSIX_CALL_HANDLE_CLOSE, handle, 0, 0, 0, 0, 0, 0);
}

/* Returns a second handle of the same object, with those of the rights that rights names. Bits that are no
   rights are no error: a program may ask for rights that a later kernel knows. */
static inline jsix_error jsix_handle_duplicate(jsix_handle handle, uint64_t rights, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_HANDLE_DUPLICATE, handle, rights, 0, 0, 0, 0, made);
}

/* Closes all handles that were made from this one, by duplication of it or of such a handle, in every process
   and on the way between two. The handle stays. */
static inline jsix_error jsix_handle_revoke(jsix_handle handle) {
    return jsix_syscall(JSIX_CALL_HANDLE_REVOKE, handle, 0, 0, 0, 0, 0, 0);
}

/* Tells about a handle: type of the object, rights, and whether it is the object of another handle. */
static inline jsix_error jsix_handle_info(jsix_handle handle, jsix_handle_info_t *place) {
    return jsix_syscall(JSIX_CALL_HANDLE_INFO, handle, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Moves a handle to another process; returns the handle there. On an error it stays. */
static inline jsix_error jsix_handle_give(jsix_handle process, jsix_handle handle, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_HANDLE_GIVE, process, handle, 0, 0, 0, 0, made);
}

/* Areas: Memory that can be mapped. */
#define JSIX_CALL_VM_AREA_CREATE 0x20
#define JSIX_CALL_VM_AREA_CREATE_FIXED 0x21
#define JSIX_CALL_VM_AREA_INFO 0x22
#define JSIX_CALL_VM_AREA_RESIZE 0x23
#define JSIX_CALL_VM_AREA_COMMIT 0x24
#define JSIX_CALL_VM_AREA_DECOMMIT 0x25
#define JSIX_CALL_VM_AREA_SNAPSHOT 0x26

/* Makes a vm_area of a kind (abi::area): size bytes; for guarded areas size is that of a section and sections
   how many there are, else sections is 0. Its pages are charged to the caller. */
static inline jsix_error jsix_vm_area_create(
    uint64_t kind,
    uint64_t size,
    uint64_t sections,
    jsix_handle *made
) {
    return jsix_syscall(JSIX_CALL_VM_AREA_CREATE, kind, size, sections, 0, 0, 0, made);
}

/* Makes a fixed area: len bytes of a resource of memory from offset on, cached in a way (abi::area::UNCACHED
   ...). The memory is a device's: it is neither zeroed nor ever freed. AccessDenied for what the kernel keeps
   to itself: the machine's memory, and devices that it drives. */
static inline jsix_error jsix_vm_area_create_fixed(
    jsix_handle resource,
    uint64_t offset,
    uint64_t len,
    uint64_t caching,
    jsix_handle *made
) {
    return jsix_syscall(JSIX_CALL_VM_AREA_CREATE_FIXED, resource, offset, len, caching, 0, 0, made);
}

/* Tells about an area. */
static inline jsix_error jsix_vm_area_info(jsix_handle area, jsix_area_info_t *place) {
    return jsix_syscall(JSIX_CALL_VM_AREA_INFO, area, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Changes the size of an open area. Pages beyond a smaller size are unmapped everywhere and freed. */
static inline jsix_error jsix_vm_area_resize(jsix_handle area, uint64_t size) {
    return jsix_syscall(JSIX_CALL_VM_AREA_RESIZE, area, size, 0, 0, 0, 0, 0);
}

/* Gives pages to a range of the area now, zeroed, instead of at the first touch. All or none. */
static inline jsix_error jsix_vm_area_commit(jsix_handle area, uint64_t offset, uint64_t len) {
    return jsix_syscall(JSIX_CALL_VM_AREA_COMMIT, area, offset, len, 0, 0, 0, 0);
}

/* Takes the pages of a range away: they are freed, and read as zeros when touched again. */
static inline jsix_error jsix_vm_area_decommit(jsix_handle area, uint64_t offset, uint64_t len) {
    return jsix_syscall(JSIX_CALL_VM_AREA_DECOMMIT, area, offset, len, 0, 0, 0, 0);
}

/* Returns a handle of a new area with the same content, which shares pages until one of the two is written
   to. */
static inline jsix_error jsix_vm_area_snapshot(jsix_handle area, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_VM_AREA_SNAPSHOT, area, 0, 0, 0, 0, 0, made);
}

/* Processes: Processes: their life, their address space, their exceptions; what they and the processors have done. */
#define JSIX_CALL_PROCESS_CREATE 0x30
#define JSIX_CALL_PROCESS_KILL 0x31
#define JSIX_CALL_PROCESS_EXIT 0x32
#define JSIX_CALL_PROCESS_INFO 0x33
#define JSIX_CALL_PROCESS_MAP 0x34
#define JSIX_CALL_PROCESS_UNMAP 0x35
#define JSIX_CALL_PROCESS_PROTECT 0x36
#define JSIX_CALL_PROCESS_SET_LIMIT 0x37
#define JSIX_CALL_PROCESS_ON_EXIT 0x38
#define JSIX_CALL_PROCESS_ON_EXCEPTION 0x39
#define JSIX_CALL_EXCEPTION_READ 0x3a
#define JSIX_CALL_EXCEPTION_RESUME 0x3b
#define JSIX_CALL_PROCESS_USAGE 0x3c
#define JSIX_CALL_PROCESS_NEXT 0x3d
#define JSIX_CALL_PROCESS_NEXT_THREAD 0x3e
#define JSIX_CALL_PROCESSOR_USAGE 0x3f
#define JSIX_CALL_PROCESS_OPEN 0x40
#define JSIX_CALL_PROCESS_THREAD 0x41
#define JSIX_CALL_PROCESS_READ 0x42
#define JSIX_CALL_PROCESS_NEXT_HANDLE 0x43
#define JSIX_CALL_PROCESS_NEXT_AREA 0x44

/* Makes a process with an empty address space, no handles and no threads. Its name has no control characters.
   Its memory counts against the caller's limit too. It ends, with status 129, when the caller's process does. */
static inline jsix_error jsix_process_create(const char *name, size_t name_len, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_PROCESS_CREATE, (uint64_t)name, name_len, 0, 0, 0, 0, made);
}

/* Ends a process and all its threads. */
static inline jsix_error jsix_process_kill(jsix_handle process, uint64_t status) {
    return jsix_syscall(JSIX_CALL_PROCESS_KILL, process, status, 0, 0, 0, 0, 0);
}

/* Ends the calling process with a status. */
JSIX_NORETURN static inline void jsix_process_exit(uint64_t status) {
    for (;;) jsix_syscall(JSIX_CALL_PROCESS_EXIT, status, 0, 0, 0, 0, 0, 0);
}

/* Tells about a process: whether and how it ended, its memory and limit. */
static inline jsix_error jsix_process_info(jsix_handle process, jsix_process_info_t *place) {
    return jsix_syscall(JSIX_CALL_PROCESS_INFO, process, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Maps len bytes of an area from offset on in a process, and returns the address: address if access has
   AT_ADDRESS, else one that the kernel chooses. The handle of the area needs MAP_READ, MAP_WRITE and
   MAP_EXECUTE as access says. */
static inline jsix_error jsix_process_map(
    jsix_handle process,
    jsix_handle area,
    uint64_t address,
    uint64_t offset,
    uint64_t len,
    uint64_t access,
    uint64_t *value
) {
    return jsix_syscall(JSIX_CALL_PROCESS_MAP, process, area, address, offset, len, access, value);
}

/* Unmaps whatever is mapped in a range; pages stay with their areas. */
static inline jsix_error jsix_process_unmap(jsix_handle process, uint64_t address, uint64_t len) {
    return jsix_syscall(JSIX_CALL_PROCESS_UNMAP, process, address, len, 0, 0, 0, 0);
}

/* Changes what a mapped range may be used for, never beyond what its handle allowed when it was mapped. */
static inline jsix_error jsix_process_protect(
    jsix_handle process,
    uint64_t address,
    uint64_t len,
    uint64_t access
) {
    return jsix_syscall(JSIX_CALL_PROCESS_PROTECT, process, address, len, access, 0, 0, 0);
}

/* Sets how many bytes of memory the process may use, at most what the caller may. */
static inline jsix_error jsix_process_set_limit(jsix_handle process, uint64_t bytes) {
    return jsix_syscall(JSIX_CALL_PROCESS_SET_LIMIT, process, bytes, 0, 0, 0, 0, 0);
}

/* Sets bits of an event when the process has ended; at once if it has. No event, with bits 0, unbinds. */
static inline jsix_error jsix_process_on_exit(jsix_handle process, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_PROCESS_ON_EXIT, process, event, bits, 0, 0, 0, 0);
}

/* Sets bits of an event when a thread of the process faults; the thread then waits for exception_resume. No
   event, with bits 0, unbinds: from then on a fault ends the process. So it is, too, when the last handle of
   the event has gone, as nobody hears of the fault then: threads that wait try again, and end the process if
   that fails. */
static inline jsix_error jsix_process_on_exception(jsix_handle process, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_PROCESS_ON_EXCEPTION, process, event, bits, 0, 0, 0, 0);
}

/* Tells why the first thread waits whose exception was not read yet. */
static inline jsix_error jsix_exception_read(jsix_handle process, jsix_process_exception_t *place) {
    return jsix_syscall(JSIX_CALL_EXCEPTION_READ, process, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Lets a thread that waits with an exception try again, or ends its process with the fault. */
static inline jsix_error jsix_exception_resume(jsix_handle process, uint64_t thread, uint64_t action) {
    return jsix_syscall(JSIX_CALL_EXCEPTION_RESUME, process, thread, action, 0, 0, 0, 0);
}

/* Tells what a process is and has used. */
static inline jsix_error jsix_process_usage(jsix_handle process, jsix_process_usage_t *place) {
    return jsix_syscall(JSIX_CALL_PROCESS_USAGE, process, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Tells the same of the first process whose number is from or more, of those that have threads; NotReady when
   there is none. Asked from 0 on, and each time from one more than the last number, it gives all, in the
   order of their numbers. */
static inline jsix_error jsix_process_next(jsix_handle system, uint64_t from, jsix_process_usage_t *place) {
    return jsix_syscall(JSIX_CALL_PROCESS_NEXT, system, from, (uint64_t)place, 0, 0, 0, 0);
}

/* Tells about the first thread of a process whose number is from or more; NotReady when there is none. */
static inline jsix_error jsix_process_next_thread(
    jsix_handle process,
    uint64_t from,
    jsix_thread_info_t *place
) {
    return jsix_syscall(JSIX_CALL_PROCESS_NEXT_THREAD, process, from, (uint64_t)place, 0, 0, 0, 0);
}

/* Tells what a processor has done; InvalidArgument for one that does not run. */
static inline jsix_error jsix_processor_usage(
    jsix_handle system,
    uint64_t processor,
    jsix_statistics_processor_t *place
) {
    return jsix_syscall(JSIX_CALL_PROCESSOR_USAGE, system, processor, (uint64_t)place, 0, 0, 0, 0);
}

/* Returns a handle of the process with a number, with INSPECT, KILL, DEBUG, DUPLICATE and TRANSFER; NotReady
   when none with threads has it. */
static inline jsix_error jsix_process_open(jsix_handle system, uint64_t number, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_PROCESS_OPEN, system, number, 0, 0, 0, 0, made);
}

/* Returns a handle of the thread of a process with a number; NotReady when none has it. */
static inline jsix_error jsix_process_thread(jsix_handle process, uint64_t number, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_PROCESS_THREAD, process, number, 0, 0, 0, 0, made);
}

/* Copies memory of a process from an address on; returns how many bytes: fewer than asked for where the next
   page cannot be read, NotMapped if that is the first one. NotSupported if it is a device's. Pages that were
   not touched yet are zeros, and stay untouched. */
static inline jsix_error jsix_process_read(
    jsix_handle process,
    uint64_t address,
    void *buffer,
    size_t buffer_len,
    uint64_t *value
) {
    return jsix_syscall(JSIX_CALL_PROCESS_READ, process, address, (uint64_t)buffer, buffer_len, 0, 0, value);
}

/* Tells about the first handle of a process whose slot is from or more; NotReady when there is none. */
static inline jsix_error jsix_process_next_handle(
    jsix_handle process,
    uint64_t from,
    jsix_handle_entry_t *place
) {
    return jsix_syscall(JSIX_CALL_PROCESS_NEXT_HANDLE, process, from, (uint64_t)place, 0, 0, 0, 0);
}

/* Tells about the first mapping of a process that ends behind the address from; NotReady when there is none. */
static inline jsix_error jsix_process_next_area(jsix_handle process, uint64_t from, jsix_area_entry_t *place) {
    return jsix_syscall(JSIX_CALL_PROCESS_NEXT_AREA, process, from, (uint64_t)place, 0, 0, 0, 0);
}

/* Threads: Threads. */
#define JSIX_CALL_THREAD_CREATE 0x50
#define JSIX_CALL_THREAD_KILL 0x51
#define JSIX_CALL_THREAD_SUSPEND 0x52
#define JSIX_CALL_THREAD_RESUME 0x53
#define JSIX_CALL_THREAD_INFO 0x54
#define JSIX_CALL_THREAD_EXIT 0x55
#define JSIX_CALL_THREAD_YIELD 0x56
#define JSIX_CALL_THREAD_SLEEP 0x57
#define JSIX_CALL_THREAD_SET_PRIORITY 0x58
#define JSIX_CALL_THREAD_SET_AFFINITY 0x59
#define JSIX_CALL_THREAD_ON_EXIT 0x5a
#define JSIX_CALL_THREAD_READ_REGISTERS 0x5b
#define JSIX_CALL_THREAD_WRITE_REGISTERS 0x5c

/* Starts a thread in a process at entry, with this stack pointer and argument in RDI; cpu is the number of
   the processor that it shall stay on, or abi::process::ANY_CPU. With SUSPEND it begins suspended. */
static inline jsix_error jsix_thread_create(
    jsix_handle process,
    uint64_t entry,
    uint64_t stack,
    uint64_t argument,
    uint64_t cpu,
    uint64_t how,
    jsix_handle *made
) {
    return jsix_syscall(JSIX_CALL_THREAD_CREATE, process, entry, stack, argument, cpu, how, made);
}

/* Ends a thread: it does not run in user mode any more. With its last thread a process ends, with status 0. */
static inline jsix_error jsix_thread_kill(jsix_handle thread) {
    return jsix_syscall(JSIX_CALL_THREAD_KILL, thread, 0, 0, 0, 0, 0, 0);
}

/* Stops a thread, at the latest when it would go back to user mode, until it is resumed. */
static inline jsix_error jsix_thread_suspend(jsix_handle thread) {
    return jsix_syscall(JSIX_CALL_THREAD_SUSPEND, thread, 0, 0, 0, 0, 0, 0);
}

/* Lets a suspended thread go on. */
static inline jsix_error jsix_thread_resume(jsix_handle thread) {
    return jsix_syscall(JSIX_CALL_THREAD_RESUME, thread, 0, 0, 0, 0, 0, 0);
}

/* Tells about a thread. */
static inline jsix_error jsix_thread_info(jsix_handle thread, jsix_thread_info_t *place) {
    return jsix_syscall(JSIX_CALL_THREAD_INFO, thread, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Ends the calling thread. With its last thread a process ends, with status 0. */
JSIX_NORETURN static inline void jsix_thread_exit(void) {
    for (;;) jsix_syscall(JSIX_CALL_THREAD_EXIT, 0, 0, 0, 0, 0, 0, 0);
}

/* Gives the processor to another thread of the same priority that is ready. */
static inline void jsix_thread_yield(void) {
    jsix_syscall(JSIX_CALL_THREAD_YIELD, 0, 0, 0, 0, 0, 0, 0);
}

/* Waits until a time on the monotonic clock, in nanoseconds. */
static inline jsix_error jsix_thread_sleep(uint64_t until) {
    return jsix_syscall(JSIX_CALL_THREAD_SLEEP, until, 0, 0, 0, 0, 0, 0);
}

/* Gives a thread a priority. While others wait for it in calls, it has theirs, if that is higher. */
static inline jsix_error jsix_thread_set_priority(jsix_handle thread, uint64_t priority) {
    return jsix_syscall(JSIX_CALL_THREAD_SET_PRIORITY, thread, priority, 0, 0, 0, 0, 0);
}

/* Says on which processors a thread may run: a bit each, at least one of them a processor that runs. */
static inline jsix_error jsix_thread_set_affinity(
    jsix_handle thread,
    const void *processors,
    size_t processors_len
) {
    return jsix_syscall(JSIX_CALL_THREAD_SET_AFFINITY, thread, (uint64_t)processors, processors_len, 0, 0, 0, 0);
}

/* Sets bits of an event when the thread has ended; at once if it has. No event, with bits 0, unbinds. */
static inline jsix_error jsix_thread_on_exit(jsix_handle thread, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_THREAD_ON_EXIT, thread, event, bits, 0, 0, 0, 0);
}

/* Reads the registers of a thread that is stopped: suspended and not running, or waiting with an exception.
   NotReady when it is not (not yet: a suspended thread may still be on its way out of the kernel), Ended when
   it has ended or is about to. */
static inline jsix_error jsix_thread_read_registers(jsix_handle thread, jsix_thread_registers_t *place) {
    return jsix_syscall(JSIX_CALL_THREAD_READ_REGISTERS, thread, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Changes all registers of a thread that is stopped, as abi::thread::Registers says; it goes on with them.
   InvalidArgument for another length, addresses that are none of user space, flags that are not in
   abi::thread::FLAGS, or what was read within a call. NotReady when it is not stopped, or is within a call:
   the registers belong to that until it is over. */
static inline jsix_error jsix_thread_write_registers(
    jsix_handle thread,
    const void *registers,
    size_t registers_len
) {
    return jsix_syscall(JSIX_CALL_THREAD_WRITE_REGISTERS, thread, (uint64_t)registers, registers_len, 0, 0, 0, 0);
}

/* Events: Events: 64 bits that threads set, wait for and clear. */
#define JSIX_CALL_EVENT_CREATE 0x70
#define JSIX_CALL_EVENT_SIGNAL 0x71
#define JSIX_CALL_EVENT_TAKE 0x72
#define JSIX_CALL_EVENT_WAIT 0x73
#define JSIX_CALL_EVENT_SET_TIMER 0x74

/* Makes an event with all bits clear. */
static inline jsix_error jsix_event_create(jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_EVENT_CREATE, 0, 0, 0, 0, 0, 0, made);
}

/* Sets bits and wakes who waits for one of them. */
static inline jsix_error jsix_event_signal(jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_EVENT_SIGNAL, event, bits, 0, 0, 0, 0, 0);
}

/* Clears and returns the bits of mask that are set, without waiting. */
static inline jsix_error jsix_event_take(jsix_handle event, uint64_t mask, uint64_t *value) {
    return jsix_syscall(JSIX_CALL_EVENT_TAKE, event, mask, 0, 0, 0, 0, value);
}

/* Waits until a bit of mask, which is not 0, is set, or with ALL until all of them are; returns those that
   are, and clears them but for KEEP. At the latest at a time on the monotonic clock, in nanoseconds
   (abi::NEVER: without end). */
static inline jsix_error jsix_event_wait(
    jsix_handle event,
    uint64_t mask,
    uint64_t how,
    uint64_t until,
    uint64_t *value
) {
    return jsix_syscall(JSIX_CALL_EVENT_WAIT, event, mask, how, until, 0, 0, value);
}

/* Sets bits at a time on the monotonic clock, in nanoseconds, instead of those of an earlier call for this
   event; abi::NEVER: none. */
static inline jsix_error jsix_event_set_timer(jsix_handle event, uint64_t bits, uint64_t at) {
    return jsix_syscall(JSIX_CALL_EVENT_SET_TIMER, event, bits, at, 0, 0, 0, 0);
}

/* Mailboxes: Mailboxes: calls from thread to thread, with messages in registers (abi::message). */
#define JSIX_CALL_MAILBOX_CREATE 0x90
#define JSIX_CALL_MAILBOX_BADGE 0x91
#define JSIX_CALL_MAILBOX_CALL 0x92
#define JSIX_CALL_MAILBOX_CALL_UNTIL 0x93
#define JSIX_CALL_MAILBOX_RECEIVE 0x94
#define JSIX_CALL_MAILBOX_REPLY 0x95
#define JSIX_CALL_MAILBOX_REPLY_RECEIVE 0x96
#define JSIX_CALL_MAILBOX_ON_READABLE 0x97
#define JSIX_CALL_MAILBOX_SET_BUFFER 0x98
#define JSIX_CALL_MAILBOX_DETACH 0x99
#define JSIX_CALL_REPLY_ANSWER 0x9a
#define JSIX_CALL_MAILBOX_ON_CLOSED 0x9b

/* Makes a mailbox. It is open until the last handle with RECEIVE is closed. */
static inline jsix_error jsix_mailbox_create(jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_MAILBOX_CREATE, 0, 0, 0, 0, 0, 0, made);
}

/* Returns a handle to call a mailbox by. The receiver of its messages learns the badge. */
static inline jsix_error jsix_mailbox_badge(jsix_handle mailbox, uint64_t badge, jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_MAILBOX_BADGE, mailbox, badge, 0, 0, 0, 0, made);
}

/* Sets bits of an event when a message comes that nobody waits for; at once if there is one. No event, with
   bits 0, unbinds. */
static inline jsix_error jsix_mailbox_on_readable(jsix_handle mailbox, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_MAILBOX_ON_READABLE, mailbox, event, bits, 0, 0, 0, 0);
}

/* Names the memory through which the calling thread sends and receives words beyond those in registers: room
   for abi::message::WORDS_MAX words, at a multiple of 8; 0: none. It is looked at when a message needs it. */
static inline jsix_error jsix_mailbox_set_buffer(uint64_t address) {
    return jsix_syscall(JSIX_CALL_MAILBOX_SET_BUFFER, address, 0, 0, 0, 0, 0, 0);
}

/* Returns the right to answer the call whose message the thread received last, so that it, or another who is
   given the handle, can answer later. The thread serves the call no longer: the priority of the caller is not
   passed on any more. */
static inline jsix_error jsix_mailbox_detach(jsix_handle *made) {
    return jsix_syscall(JSIX_CALL_MAILBOX_DETACH, 0, 0, 0, 0, 0, 0, made);
}

/* Sets bits of an event when nobody can receive from the mailbox any more; at once if so. Each process has
   bindings of its own, one for each of 8 events at the most; no event, with bits 0, unbinds all of the
   caller's. */
static inline jsix_error jsix_mailbox_on_closed(jsix_handle mailbox, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_MAILBOX_ON_CLOSED, mailbox, event, bits, 0, 0, 0, 0);
}

/* Resources: Resources: ranges of what the machine has, from which drivers get what they need. */
#define JSIX_CALL_RESOURCE_NARROW 0xa0
#define JSIX_CALL_RESOURCE_INFO 0xa1
#define JSIX_CALL_RESOURCE_GRANT_PORTS 0xa2
#define JSIX_CALL_RESOURCE_ISA_LINE 0xa3

/* Returns a handle of a part of a resource: len of it from offset on. */
static inline jsix_error jsix_resource_narrow(
    jsix_handle resource,
    uint64_t offset,
    uint64_t len,
    jsix_handle *made
) {
    return jsix_syscall(JSIX_CALL_RESOURCE_NARROW, resource, offset, len, 0, 0, 0, made);
}

/* Tells about a resource. */
static inline jsix_error jsix_resource_info(jsix_handle resource, jsix_resource_info_t *place) {
    return jsix_syscall(JSIX_CALL_RESOURCE_INFO, resource, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Lets a process use all ports of a resource of ports, by the instructions IN and OUT, until it ends.
   AccessDenied for ports that the kernel keeps to itself; TooMany when the process would have ports in more
   than 16 separate ranges. */
static inline jsix_error jsix_resource_grant_ports(jsix_handle resource, jsix_handle process) {
    return jsix_syscall(JSIX_CALL_RESOURCE_GRANT_PORTS, resource, process, 0, 0, 0, 0, 0);
}

/* Returns which line of a resource of lines an interrupt of the ISA bus is wired to: its offset there. */
static inline jsix_error jsix_resource_isa_line(jsix_handle resource, uint64_t isa, uint64_t *value) {
    return jsix_syscall(JSIX_CALL_RESOURCE_ISA_LINE, resource, isa, 0, 0, 0, 0, value);
}

/* Futexes: Futexes: threads wait for words of memory, which programs change without the kernel as long as nobody waits. */
#define JSIX_CALL_FUTEX_WAIT 0xb0
#define JSIX_CALL_FUTEX_WAKE 0xb1
#define JSIX_CALL_FUTEX_REQUEUE 0xb2

/* Waits until a thread wakes those who wait for the word of four bytes at an address, at the latest until a
   time on the monotonic clock, in nanoseconds; Changed at once if the word is not as expected. All who have
   the same area mapped, wherever, mean the same word. Whoever returns without an error was woken, and looks
   at the word again. */
static inline jsix_error jsix_futex_wait(uint64_t address, uint64_t expected, uint64_t until) {
    return jsix_syscall(JSIX_CALL_FUTEX_WAIT, address, expected, until, 0, 0, 0, 0);
}

/* Wakes at most so many of those that wait for a word, the most urgent first; returns how many. */
static inline jsix_error jsix_futex_wake(uint64_t address, uint64_t most, uint64_t *value) {
    return jsix_syscall(JSIX_CALL_FUTEX_WAKE, address, most, 0, 0, 0, 0, value);
}

/* Wakes at most wake_most of those that wait for a word, and lets at most move_most others wait for another
   one from now on; returns how many were woken or moved. */
static inline jsix_error jsix_futex_requeue(
    uint64_t address,
    uint64_t wake_most,
    uint64_t move_most,
    uint64_t other,
    uint64_t *value
) {
    return jsix_syscall(JSIX_CALL_FUTEX_REQUEUE, address, wake_most, move_most, other, 0, 0, value);
}

/* System: The machine. */
#define JSIX_CALL_SYSTEM_STATISTICS 0xc0
#define JSIX_CALL_SYSTEM_LOG_WRITE 0xc1
#define JSIX_CALL_SYSTEM_FRAMEBUFFER 0xc2
#define JSIX_CALL_SYSTEM_LOG_READ 0xc3
#define JSIX_CALL_SYSTEM_LOG_ON_RECORD 0xc4
#define JSIX_CALL_SYSTEM_SET_CONSOLE 0xc5
#define JSIX_CALL_SYSTEM_POWER 0xc6
#define JSIX_CALL_SYSTEM_DEVICE 0xc7
#define JSIX_CALL_SYSTEM_TRACE 0xc8
#define JSIX_CALL_SYSTEM_TRACE_READ 0xc9

/* Tells about the machine's memory and processors. */
static inline jsix_error jsix_system_statistics(jsix_handle system, jsix_statistics_t *place) {
    return jsix_syscall(JSIX_CALL_SYSTEM_STATISTICS, system, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Writes a text (UTF-8; other bytes are replaced) to the log, one record per line, with the name of the
   process as the target. */
static inline jsix_error jsix_system_log_write(
    jsix_handle system,
    uint64_t level,
    const void *text,
    size_t text_len
) {
    return jsix_syscall(JSIX_CALL_SYSTEM_LOG_WRITE, system, level, (uint64_t)text, text_len, 0, 0, 0);
}

/* Tells about the screen that the boot loader has set up; NotSupported without one. */
static inline jsix_error jsix_system_framebuffer(jsix_handle system, jsix_framebuffer_t *place) {
    return jsix_syscall(JSIX_CALL_SYSTEM_FRAMEBUFFER, system, (uint64_t)place, 0, 0, 0, 0, 0);
}

/* Copies records of the log with the number from or more, as abi::log has them, as many whole ones as there
   is room for; returns how many bytes: 0 when there is none. InvalidArgument when there is no room for the
   first one. */
static inline jsix_error jsix_system_log_read(
    jsix_handle system,
    uint64_t from,
    void *buffer,
    size_t buffer_len,
    uint64_t *value
) {
    return jsix_syscall(JSIX_CALL_SYSTEM_LOG_READ, system, from, (uint64_t)buffer, buffer_len, 0, 0, value);
}

/* Sets bits of an event when there is a record that was not read: once, and then not until the log was read;
   at once if there is one. Instead of those of an earlier call, whoever made it. No event, with bits 0,
   unbinds. */
static inline jsix_error jsix_system_log_on_record(jsix_handle system, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_SYSTEM_LOG_ON_RECORD, system, event, bits, 0, 0, 0, 0);
}

/* Says on which of its consoles the kernel shows the log. What it does not show it on is for programs: the
   ports of COM1, and the memory of the screen. A panic is shown on all. */
static inline jsix_error jsix_system_set_console(jsix_handle system, uint64_t consoles) {
    return jsix_syscall(JSIX_CALL_SYSTEM_SET_CONSOLE, system, consoles, 0, 0, 0, 0, 0);
}

/* Switches the machine off, or restarts it. An emulator is told the status. Returns only when it is not
   possible. */
static inline jsix_error jsix_system_power(jsix_handle system, uint64_t action, uint64_t status) {
    return jsix_syscall(JSIX_CALL_SYSTEM_POWER, system, action, status, 0, 0, 0, 0);
}

/* Tells about a device that the firmware names, by its place among them; NotReady beyond the last one. They
   are looked for once, by the first who asks. */
static inline jsix_error jsix_system_device(jsix_handle system, uint64_t index, jsix_device_t *place) {
    return jsix_syscall(JSIX_CALL_SYSTEM_DEVICE, system, index, (uint64_t)place, 0, 0, 0, 0);
}

/* Begins to record what the processors do, and forgets what was recorded before, or ends to. kinds is a list
   as on the kernel's command line; empty for all. events is how many each processor keeps; 0 for the usual
   number. It counts when a processor records for the first time. NotReady when there is nothing to end. */
static inline jsix_error jsix_system_trace(
    jsix_handle system,
    uint64_t action,
    const char *kinds,
    size_t kinds_len,
    uint64_t events
) {
    return jsix_syscall(JSIX_CALL_SYSTEM_TRACE, system, action, (uint64_t)kinds, kinds_len, events, 0, 0);
}

/* Copies what was recorded: the word where to read on, abi::trace::END at the end, then bytes of the trace
   from from on, which is abi::trace::BEGIN or such a word. Returns how many bytes, that word included.
   NotReady while it records. */
static inline jsix_error jsix_system_trace_read(
    jsix_handle system,
    uint64_t from,
    void *buffer,
    size_t buffer_len,
    uint64_t *value
) {
    return jsix_syscall(JSIX_CALL_SYSTEM_TRACE_READ, system, from, (uint64_t)buffer, buffer_len, 0, 0, value);
}

/* Interrupts: Interrupts of devices, for their drivers. */
#define JSIX_CALL_INTERRUPT_CREATE 0xe0
#define JSIX_CALL_INTERRUPT_ON_FIRE 0xe1
#define JSIX_CALL_INTERRUPT_ACKNOWLEDGE 0xe2
#define JSIX_CALL_INTERRUPT_INFO 0xe3

/* Takes a line of a resource of lines in a way (abi::interrupt::AS_WIRED ...), for as long as there is a
   handle of what is returned. It is masked. Occupied while somebody else has it; AccessDenied for lines that
   are the kernel's; TooMany when the processors have no vector left for it. */
static inline jsix_error jsix_interrupt_create(
    jsix_handle resource,
    uint64_t line,
    uint64_t mode,
    jsix_handle *made
) {
    return jsix_syscall(JSIX_CALL_INTERRUPT_CREATE, resource, line, mode, 0, 0, 0, made);
}

/* Sets bits of an event when the line fires: once, and then not until that was acknowledged; at once if
   something was not. No event, with bits 0, unbinds: the line is masked. */
static inline jsix_error jsix_interrupt_on_fire(jsix_handle interrupt, jsix_handle event, uint64_t bits) {
    return jsix_syscall(JSIX_CALL_INTERRUPT_ON_FIRE, interrupt, event, bits, 0, 0, 0, 0);
}

/* Takes notice that the line has fired, and lets it fire again. Returns how often it had: of edges those
   since the last acknowledgement, 256 at most. If there was more than one, the event's bits are set once
   more, as one of them may have come after the driver had looked at its device; that one is to be
   acknowledged, too. A level is 1; it fires again at once if it is still there. */
static inline jsix_error jsix_interrupt_acknowledge(jsix_handle interrupt, uint64_t *value) {
    return jsix_syscall(JSIX_CALL_INTERRUPT_ACKNOWLEDGE, interrupt, 0, 0, 0, 0, 0, value);
}

/* Tells about a line. */
static inline jsix_error jsix_interrupt_info(jsix_handle interrupt, jsix_interrupt_info_t *place) {
    return jsix_syscall(JSIX_CALL_INTERRUPT_INFO, interrupt, (uint64_t)place, 0, 0, 0, 0, 0);
}

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
