# The code of the handoff page: from the firmware (boot processor) or from real mode (a started
# processor) into the page tables of the kernel, and into the kernel itself.
#
# It is copied to the beginning of a page below 1 MiB, so it uses no absolute address but those
# that the parameters give. Their offsets, and the room for this code, are those of
# shim-core::handoff; the names below say which field is meant. AT&T syntax, as the 16-bit part is
# then unambiguous.

.set P_ROOT,       0xc00
.set P_HHDM,       0xc08
.set P_ENTRY,      0xc10
.set P_STACK,      0xc18
.set P_CR0,        0xc20
.set P_CR4,        0xc28
.set P_X2APIC,     0xc30
.set P_CPUS,       0xc38
.set P_CPU_COUNT,  0xc40
.set P_ON_START,   0xc48
.set P_GDTR_LOW,   0xc50
.set P_GDTR_HIGH,  0xc60
.set P_FAR_AP,     0xc70
.set P_FAR_LONG,   0xc78

.set STATE_UP, 2

.text
.globl shim_handoff_start, shim_handoff_boot, shim_handoff_protected, shim_handoff_long, shim_handoff_end

# A started processor begins here: real mode, CS is the page number times 256, IP is 0.
.code16
.balign 16
shim_handoff_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    xorl %ebx, %ebx
    movw %ax, %bx
    shll $4, %ebx
    lgdtl P_GDTR_LOW
    movl $0x11, %eax                # CR0: PE, ET; caches on
    movl %eax, %cr0
    ljmpl *P_FAR_AP

.code32
shim_handoff_protected:
    movl $0x20, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl $1, %edi                   # this is a started processor
    jmp to_long

# The boot processor begins here: 64-bit mode, the page mapped one to one, RDI is its address.
.code64
shim_handoff_boot:
    cli
    cld
    movq %rdi, %rbx
    leaq 0x1000(%rbx), %rsp
    lgdt P_GDTR_LOW(%rbx)
    pushq $0x18
    leaq (protected_boot - shim_handoff_start)(%rbx), %rax
    pushq %rax
    lretq

.code32
protected_boot:
    movl $0x20, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl %cr0, %eax                 # the number of levels can only change with paging off
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    xorl %edi, %edi                 # this is the boot processor

# Both: EBX is the address of the page, EDI tells who this is, paging is off.
to_long:
    movl $0x277, %ecx               # PAT: WB, WT, UC-, UC, WP, WC, and WB twice
    movl $0x00070406, %eax
    movl $0x06060105, %edx
    wrmsr
    movl P_CR4(%ebx), %eax
    movl %eax, %cr4
    movl P_ROOT(%ebx), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          # EFER: LME, NXE
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl P_CR0(%ebx), %eax
    movl %eax, %cr0
    ljmpl *P_FAR_LONG(%ebx)

.code64
shim_handoff_long:
    movl $0x30, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl %ebx, %ebx
    lgdt P_GDTR_HIGH(%rbx)
    addq P_HHDM(%rbx), %rbx         # from here on, everything by the direct map
    leaq (high - shim_handoff_start)(%rbx), %rax
    jmpq *%rax
high:
    xorl %eax, %eax
    lldt %ax
    testl %edi, %edi
    jnz started

# The boot processor: forget the lower half, then enter the kernel.
    movq %cr3, %rdx
    movq %rdx, %rdi
    addq P_HHDM(%rbx), %rdi
    xorl %eax, %eax
    movl $256, %ecx
    rep stosq
    movq %rdx, %cr3
    movq P_STACK(%rbx), %rsp
    pushq $0                        # the return address that leads nowhere
    pushq P_ENTRY(%rbx)
    xorl %edi, %edi
    jmp enter

# A started processor: find its structure, tell that it is here, and wait.
started:
    testl $1, P_X2APIC(%rbx)
    jz 1f
    movl $0x1b, %ecx                # IA32_APIC_BASE: enabled, x2APIC
    rdmsr
    orl $0xc00, %eax
    wrmsr
    movl $0x802, %ecx               # the id of the local APIC
    rdmsr
    jmp 2f
1:  movq %rbx, %r8
    movl $1, %eax
    cpuid
    shrl $24, %ebx
    movl %ebx, %eax
    movq %r8, %rbx
2:  movq P_CPUS(%rbx), %r13         # table: id (4), state (4), address of its structure (8)
    movq P_CPU_COUNT(%rbx), %rcx
3:  testq %rcx, %rcx
    jz nobody
    cmpl %eax, (%r13)
    je 4f
    addq $16, %r13
    decq %rcx
    jmp 3b
nobody:
    hlt
    jmp nobody
4:  movq 8(%r13), %r12
    movq 8(%r12), %rsp
    callq *P_ON_START(%rbx)
    movl $STATE_UP, %eax
    xchgl %eax, 4(%r13)             # the boot processor may now remove the lower half
5:  movq 16(%r12), %rax             # goto_address
    testq %rax, %rax
    jnz 6f
    pause
    jmp 5b
6:  movq %cr3, %rcx
    movq %rcx, %cr3
    movq 8(%r12), %rsp
    pushq $0
    pushq %rax
    movq %r12, %rdi

# Both: the address to go to is on the stack, and below it the return address 0.
enter:
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %ebp, %ebp
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    retq
shim_handoff_end:
