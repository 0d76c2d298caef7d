/* Which neighbouring elementwise calls run as one program (ops/fused.h): the one place that decides it, for graphs (the
   pass fuse_elementwise) and for eager code (the decorator born_fuse).

   Steps are met in order. A step joins the open groups whose results it reads, making one group of them, or begins a
   group. A group is closed by the first reader outside it, and by a barrier: so the whole group, or any piece of it,
   can run where its last step stood, and no order of anything else changes. When all steps are there and it is known
   how often each result is read, groups are cut into programs. Steps are the rows themselves, hence the same bits. */
#ifndef BORN_GRAPH_FUSION_H
#define BORN_GRAPH_FUSION_H
#include "ops/fused.h"

typedef struct born_fusion_step {
    const born_op *op;
    const int64_t *dim;             /* of the result; borrowed */
    int rank, in_count;
    int32_t in[3];                  /* the step that makes the operand; else ~ the caller's number of the value */
    int32_t group, place;           /* and its number among the group's steps */
    int32_t uses;                   /* how often steps read the result, and 1 or more besides where others do */
    double number[2];               /* attributes */
} born_fusion_step;

typedef struct born_fusion_group {
    int32_t step[BORN_FUSED_STEPS]; /* in order */
    int32_t in[BORN_FUSED_INPUTS];  /* operands made outside it */
    int count, inputs;
    bool open;
} born_fusion_group;

typedef struct born_fusion {
    born_fusion_step *step;
    born_fusion_group *group;
    size_t steps, groups, step_cap, group_cap;
} born_fusion;

typedef struct born_fusion_program {
    int64_t code[BORN_FUSED_STEPS * BORN_FUSED_FIELDS], result[BORN_FUSED_RESULTS];
    int32_t in[BORN_FUSED_INPUTS];  /* as in born_fusion_step */
    int32_t out[BORN_FUSED_RESULTS];/* steps */
    int inputs, outputs, count;
} born_fusion_program;

/* Room for so many steps, so that adding them takes no memory. */
bool born__fusion_reserve(born_fusion *f, size_t steps);
void born__fusion_free(born_fusion *f);
static inline void born__fusion_clear(born_fusion *f) { f->steps = f->groups = 0; }
/* The next step, number f->steps, to be filled (all but group and place; uses may come later) and then added; NULL: out
   of memory. */
born_fusion_step *born__fusion_new(born_fusion *f);
void born__fusion_add(born_fusion *f);
/* The result of a step is read by what is no step, or other than as a whole. */
void born__fusion_read(born_fusion *f, int32_t step);
/* What comes next may overwrite what groups read. */
void born__fusion_barrier(born_fusion *f);
/* All steps are there and know their uses; those without any leave their groups. Needed where there are such steps. */
void born__fusion_drop_unused(born_fusion *f);
/* The next program of a group, from its step number `from` on, and how many steps it takes; 1: that step alone, no
   program. */
int born__fusion_next(const born_fusion *f, int32_t group, int from, born_fusion_program *p);
/* The row that runs programs. */
const born_op *born__fusion_op(void);
#endif
