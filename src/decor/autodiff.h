/* Autodiff from inside: what it keeps per call (a record) and per tensor and level (a note). A record belongs to the
   results of its call: it holds its operands' nodes, knows its results' only while they live, and dies with the last of
   them. autodiff.c records, backward.c walks records backwards, gradients.c is the public side. */
#ifndef BORN_DECOR_AUTODIFF_H
#define BORN_DECOR_AUTODIFF_H
#include <born/autodiff.h>

#include "decor/blocks.h"
#include "waist/chain.h"

/* A user's function behind a record: its gradient, or what to run again. Shared by the records that hold it. */
typedef struct ad_function {
    born_custom_desc desc;      /* backward NULL: a checkpoint */
    uint32_t refs;
} ad_function;

typedef struct ad_record {
    const born_op *op;
    void *attrs;
    uint64_t serial;            /* calls in order: a record's operands have smaller ones */
    uint64_t visit;             /* the last backward that met it */
    struct ad_record *next;     /* that backward's list */
    size_t bytes;               /* of this block, the arrays below included */
    uint32_t refs;              /* living results */
    int in_count, out_count;
    born_node **in;             /* held; NULL: absent */
    born_node **out;            /* not held; NULL: dead */
    uint32_t *version;          /* of the storage of operands, then results, after the call */
    ad_function *fn;            /* NULL: the op's own gradient */
    born_site at;
} ad_record;

typedef struct ad_note {
    ad_record *rec;             /* NULL: no recorded call made it */
    int index;                  /* which of its results */
    bool asked;                 /* somebody wants the gradient */
    born_node *grad;            /* so far; held */
    born_node *sum;             /* while backward runs: what has arrived; held */
    struct ad_note *touched;    /* backward's list of notes with a sum */
    bool listed;
} ad_note;

typedef struct ad_state {
    born_blocks blocks;
    uint64_t serial, visit;
    uint32_t paused;            /* not 0: nothing is recorded */
} ad_state;

bool born__is_autodiff(const born_backend *link);
/* The nearest autodiff at or below a level; NULL: none. */
born_backend *born__autodiff_at(born_chain *c, int level);
static inline ad_note *born__ad_note(const born_backend *link, const born_node *n)
{
    return n ? n->note[link->level - 1] : NULL;
}
static inline bool born__ad_wanted(const ad_note *note) { return note && (note->rec || note->asked); }
/* The note of n, made if it has none; NULL: out of memory. */
ad_note *born__ad_note_make(born_backend *link, born_node *n);
/* Records a call that has run: c's results are in c->out, their nodes in f->out. *made gets the record (NULL allowed).
   */
born_status born__ad_record(born_backend *link, const born_frame *f, ad_record **made, born_error *err);
void born__ad_function_unref(ad_function *fn);
/* Calls one of the user's functions with handles of nodes; the nodes of its results, none NULL. */
born_status born__ad_call(const ad_function *fn, born_node *const *in, int n_in, born_node **out, int n_out,
                          born_error *err);
/* The gradients of a custom record: gin[i] a node of a level below link's, or NULL. */
born_status born__ad_custom(const born_backend *link, const ad_record *r, const born_val *gout, born_val *gin,
                            born_error *err);
/* Takes back born_requires_grad at every level: from now on n is a constant where no recorded call made it. */
void born__ad_unask(born_node *n);
born_status born__ad_backward(born_backend *link, born_node *loss, born_node *seed, born_error *err);
#endif
