/* The words of elementwise formulas (no include guard: one inclusion per reading, ended by words_off.h).

   A formula is written in prefix form from these words alone: SEL(GT(X, C(0)), X, MUL(P0, X)). One text is read as
   scalar C for f32, f64, signed and unsigned integers (elementwise.c), as 16 lanes (cpu), and as op calls for gradients
   (elementwise_grad.c), where each word is itself a row. The includer defines WORD(name, args) to say how; conditions
   are a type of their own in every reading. MUL then ADD never becomes FMA; FMA is a word.

   operands   X Y inputs, Z the result, G the gradient that arrived, P0 P1 the first two number attributes of the row's
              set (FLOAT, INT, BOOL, ENUM) as numbers of the reading: plain names that the reading declares
   constant   C(k)
   PICK(P0, a, b)  a where the attribute is not 0, else b: a C conditional on the attribute, decided once per call, in
              every reading (the reading declares P0_ATTR and P1_ATTR, doubles)

   Laws that a reading must keep, bit for bit:
   MAX_(a, b)  a if a > b, a if a is NaN, else b (so b where they are equal); MIN_ likewise with <
   RINT_       to the nearest, ties to even; -0.2 gives -0
   DIV on integers truncates, x/0 = 0, MIN/-1 wraps; FMOD the remainder with the sign of X; MOD with the sign of Y
   (both 0 where Y is 0 on integers, NaN on floats); SHL SHR by Y bits, 0 from the width on
   ABS_ NEG on floats change the sign bit only
   Elementary words on f32 lanes: the one text of math.inc. */
#define C(k) WORD_CONST(k)
#define PICK(p, a, b) ((p##_ATTR) != 0 ? (a) : (b))

#define ADD(a, b) WORD(add, a, b)
#define SUB(a, b) WORD(sub, a, b)
#define MUL(a, b) WORD(mul, a, b)
#define DIV(a, b) WORD(div, a, b)
#define FMA(a, b, c) WORD(fma, a, b, c) /* a * b + c, rounded once */
#define MOD(a, b) WORD(mod, a, b)
#define FMOD(a, b) WORD(fmod, a, b)
#define POW(a, b) WORD(pow, a, b)
#define MAX_(a, b) WORD(max, a, b)
#define MIN_(a, b) WORD(min, a, b)
#define NEG(a) WORD(neg, a)
#define ABS_(a) WORD(abs, a)
#define SIGN(a) WORD(sign, a)
#define SQUARE(a) WORD(square, a)
#define SQRT(a) WORD(sqrt, a)
#define FLOOR(a) WORD(floor, a)
#define CEIL(a) WORD(ceil, a)
#define TRUNC(a) WORD(trunc, a)
#define RINT_(a) WORD(round, a)

#define EXP(a) WORD(exp, a)
#define EXPM1(a) WORD(expm1, a)
#define LOG(a) WORD(log, a)
#define LOG1P(a) WORD(log1p, a)
#define SIN(a) WORD(sin, a)
#define COS(a) WORD(cos, a)
#define TAN(a) WORD(tan, a)
#define ASIN(a) WORD(asin, a)
#define ACOS(a) WORD(acos, a)
#define ATAN(a) WORD(atan, a)
#define SINH(a) WORD(sinh, a)
#define COSH(a) WORD(cosh, a)
#define TANH(a) WORD(tanh, a)
#define ASINH(a) WORD(asinh, a)
#define ACOSH(a) WORD(acosh, a)
#define ATANH(a) WORD(atanh, a)
#define ERF(a) WORD(erf, a)
#define SIGMOID(a) WORD(sigmoid, a)
#define CDF(a) WORD(cdf, a) /* of the normal distribution, and its density; not as op calls */
#define PDF(a) WORD(pdf, a)
#define SIGMOID_X_SLOPE(a, b) WORD(sigmoid_x_slope, a, b) /* s + s (1 - s) b, s = sigmoid(a); 0 b is 0 */
#define GELU_GRAD(a, b) WORD(gelu_grad, a, b) /* as an op call alone, with the attributes of the row that reads it */

/* composed: what gelu by tanh puts through the sigmoid, and its slope */
#define GELU_BEND(a) MUL(C(1.5957691216057308), ADD(a, MUL(C(0.044715), MUL(a, MUL(a, a)))))
#define GELU_BEND_SLOPE(a) MUL(C(1.5957691216057308), ADD(C(1), MUL(C(0.134145), MUL(a, a))))

#define GT(a, b) WORD(gt, a, b)
#define GE(a, b) WORD(ge, a, b)
#define LT(a, b) WORD(lt, a, b)
#define LE(a, b) WORD(le, a, b)
#define EQ(a, b) WORD(eq, a, b)
#define NE(a, b) WORD(ne, a, b)
#define AND(c, d) WORD(and, c, d)
#define OR(c, d) WORD(or, c, d)
#define NOT(c) WORD(not, c)
#define SEL(c, a, b) WORD(sel, c, a, b)

/* integers and bools only */
#define BITAND(a, b) WORD(bitand, a, b)
#define BITOR(a, b) WORD(bitor, a, b)
#define BITXOR(a, b) WORD(bitxor, a, b)
#define BITNOT(a) WORD(bitnot, a)
#define SHL(a, b) WORD(shl, a, b)
#define SHR(a, b) WORD(shr, a, b)
