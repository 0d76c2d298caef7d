/* The inside of a module: a node of a tree with tensors. Stock modules (nn_<family>.c) need only the public
   born_module_define and born_module_tensor; optimisers, checkpoints and the trainer look at the tree through here.
   Invariants: a dead module (kind NULL) has no tensors; names are unique among siblings and among a module's tensors;
   every tensor is kept (born_keep) once for each slot that names it. */
#ifndef BORN_NN_MODULE_H
#define BORN_NN_MODULE_H
#include <born/module.h>

#include "base/error.h"

typedef struct born_slot_tensor {
    char *name;
    born_tensor value;
    born_module_role role;
    bool frozen;
    bool tied;                  /* shares another slot's tensor */
} born_slot_tensor;

/* A tensor computed of others: see nn_weight_norm.c. */
typedef struct born_derived {
    char *name;
    int dim;
} born_derived;

typedef struct born_module_root {
    born_backend *backend;      /* held */
    born_module_desc desc;
    born_tensor step;           /* i64, rank 0: what keys are computed from; kept */
    uint64_t step_serial;       /* counts born_module_next_step, so that modules notice a new step */
    bool again;                 /* a checkpoint is being run again: buffers stay as they are */
    /* Told of every forward that has ended, inner ones first; NULL: nobody. */
    void (*watch)(void *user, const born_module *m, const born_tensor *out, int n_out);
    void *watch_user;
} born_module_root;

struct born_module {
    const born_module_ops *ops; /* NULL: dead */
    char *name;
    born_module *parent;
    born_module_root *root;     /* shared by the tree; owned by its root; NULL where dead from the start */
    born_module **child;
    size_t child_count, child_cap;
    born_slot_tensor *slot;
    size_t slot_count, slot_cap;
    born_derived *derived;
    size_t derived_count, derived_cap;
    void *config;
    uint64_t place;             /* hash of the path */
    uint64_t key_step;          /* step_serial of the last key */
    uint32_t key_calls;         /* keys given in that step */
    bool training;
};

/* Reports a failure of module m (its path goes before the text) as its chain's error and gives poison. */
born_tensor born__module_fail(const born_module *m, born_status s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The path of m from its root, "" for the root, cut to n. */
char *born__module_path(const born_module *m, char *text, size_t n);
/* The module after `at` in a walk below `top`, parents first; NULL: the end. */
const born_module *born__module_next(const born_module *top, const born_module *at);
/* Does m's chain record gradients? */
bool born__module_records(const born_module *m);
born_slot_tensor *born__module_slot(const born_module *m, const char *name);
/* Takes away a tensor that is there; returns its name, the caller's to free. */
char *born__module_remove(born_module *m, const char *name);
/* What m computes under a name that is no tensor of its own; {0}: nothing. */
born_tensor born__module_derived(const born_module *m, const char *name);
/* The key counter of the tree: what a checkpoint saves beside the tensors. */
born_tensor born__module_step(const born_module *m);
#endif
