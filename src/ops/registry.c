/* The op table: one descriptor per row, in row order, and the look-up of an op by its name. */
#include <stdatomic.h>
#include <string.h>

#include "ops/attr_sets.h"
#include "ops/rows_decl.h"

#define OP(ID, name_, sig_, dtypes_, min_, max_, props_, host_, attrs_, shape_, grad_, ref_, scratch_, onnx_, doc_)   \
    [BORN_OP_##ID] = {                                                                                                \
        .name = #name_, .sig = sig_, .onnx = onnx_, .doc = doc_,                                                      \
        .attrs = BORN__SET_##attrs_ == 0 ? NULL : &born__attr_sets[BORN__SET_##attrs_],                               \
        .shape = shape_, .grad = grad_, .ref = ref_, .scratch = scratch_,                                             \
        .dtypes = (dtypes_), .props = (props_), .host = (host_), .id = BORN_OP_##ID,                                  \
        .min_in = (min_), .max_in = (max_),                                                                           \
    },
const born_op born__ops[BORN_OP_COUNT] = {
    [BORN_OP_NONE] = { .name = "none", .sig = ">", .onnx = "", .doc = "", .id = BORN_OP_NONE },
#include "ops/rows.h"
};

/* Open addressing over twice as many slots as ops could ever be here. Filled on first use; threads that fill it at the
   same time store the same values in the same places, since insertion order is row order. */
enum { SLOTS = 2048 };
_Static_assert(BORN_OP_COUNT <= SLOTS / 2, "the name table is too small");
static _Atomic uint16_t born_name_slot[SLOTS];
static atomic_bool born_name_ready;

static uint32_t name_hash(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)s[i]) * 16777619u;
    return h ^ h >> 15;
}

static void name_table_fill(void)
{
    for (uint32_t id = 1; id < BORN_OP_COUNT; id++) {
        uint32_t at = name_hash(born__ops[id].name, strlen(born__ops[id].name));
        for (;; at++) {
            uint16_t held = atomic_load_explicit(&born_name_slot[at % SLOTS], memory_order_relaxed);
            if (held == id) break;
            if (held != 0) continue;
            atomic_store_explicit(&born_name_slot[at % SLOTS], (uint16_t)id, memory_order_relaxed);
            break;
        }
    }
    atomic_store_explicit(&born_name_ready, true, memory_order_release);
}

const born_op *born__op_find(const char *name, size_t n)
{
    if (!atomic_load_explicit(&born_name_ready, memory_order_acquire)) name_table_fill();
    for (uint32_t at = name_hash(name, n);; at++) {
        uint16_t id = atomic_load_explicit(&born_name_slot[at % SLOTS], memory_order_relaxed);
        if (id == 0) return NULL;
        const char *held = born__ops[id].name;
        if (strncmp(held, name, n) == 0 && held[n] == '\0') return &born__ops[id];
    }
}

int born__op_sig_outputs(const born_op *op, bool *variadic)
{
    const char *s = strchr(op->sig, '>');
    int n = 0;
    bool many = false;
    for (s = s ? s + 1 : ""; *s; s++) {
        if (*s == '*') many = true;
        else n++;
    }
    if (variadic) *variadic = many;
    return n;
}
