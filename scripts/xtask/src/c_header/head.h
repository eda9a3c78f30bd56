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
