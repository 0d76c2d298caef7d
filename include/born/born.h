/* Born: the whole public API. See each header for its part; ext.h (backends and operators of one's own) and call.h
   (operators by name) stand apart. */
#ifndef BORN_BORN_H
#define BORN_BORN_H
#include "attrs.h"
#include "autodiff.h"
#include "base.h"
#include "data.h"
#include "device.h"
#include "init.h"
#include "loss.h"
#include "metrics.h"
#include "model.h"
#include "module.h"
#include "nn.h"
#include "op_elementwise.h"
#include "op_index.h"
#include "op_linear.h"
#include "op_llm.h"
#include "op_nn.h"
#include "op_quant.h"
#include "op_reduce.h"
#include "op_shape.h"
#include "save.h"
#include "optim.h"
#include "sched.h"
#include "tensor.h"
#include "trace.h"
#endif
