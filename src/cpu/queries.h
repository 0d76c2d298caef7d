/* The queries and packers named in kernels.def, level-independent (see kernel.h for their contract). */
#ifndef BORN_CPU_QUERIES_H
#define BORN_CPU_QUERIES_H
#include "cpu/kernel.h"

bool born__query_matmul(const born_call *c, born_query *q);
bool born__query_gemm(const born_call *c, born_query *q);
void born__pack_matmul(const born_call *c, void *dst);
void born__pack_gemm(const born_call *c, void *dst);
bool born__query_elementwise(const born_call *c, born_query *q);
bool born__query_numbers(const born_call *c, born_query *q);
bool born__query_fused(const born_call *c, born_query *q);
bool born__query_where(const born_call *c, born_query *q);
bool born__query_cast(const born_call *c, born_query *q);
bool born__query_softmax(const born_call *c, born_query *q);
bool born__query_row_norm(const born_call *c, born_query *q);
bool born__query_norm_grad(const born_call *c, born_query *q);
bool born__query_loss(const born_call *c, born_query *q);
bool born__query_batch_norm(const born_call *c, born_query *q);
bool born__query_batch_train(const born_call *c, born_query *q);
bool born__query_batch_grad(const born_call *c, born_query *q);
bool born__query_channel_sum(const born_call *c, born_query *q);
bool born__query_reduce(const born_call *c, born_query *q);
bool born__query_qconv(const born_call *c, born_query *q);
void born__pack_qconv(const born_call *c, void *dst);
bool born__query_qmm(const born_call *c, born_query *q);
void born__pack_qmm(const born_call *c, void *dst);
bool born__query_qpoint(const born_call *c, born_query *q);
bool born__query_qdynamic(const born_call *c, born_query *q);
bool born__query_conv_transpose(const born_call *c, born_query *q);
bool born__query_arg(const born_call *c, born_query *q);
bool born__query_resize(const born_call *c, born_query *q);
bool born__query_attention_grad(const born_call *c, born_query *q);
bool born__query_attention(const born_call *c, born_query *q);
bool born__query_conv(const born_call *c, born_query *q);
void born__pack_conv(const born_call *c, void *dst);
bool born__query_conv_flat(const born_call *c, born_query *q);
bool born__query_conv_batch(const born_call *c, born_query *q);
bool born__query_conv_pixels(const born_call *c, born_query *q);
bool born__query_conv_weight_few(const born_call *c, born_query *q);
bool born__query_conv_weight_last(const born_call *c, born_query *q);
bool born__query_conv_weight(const born_call *c, born_query *q);
bool born__query_pool(const born_call *c, born_query *q);
bool born__query_pool_back(const born_call *c, born_query *q);
bool born__query_pool_rows(const born_call *c, born_query *q);
bool born__query_channels_last(const born_call *c, born_query *q);
bool born__query_rnn(const born_call *c, born_query *q);
#endif
