"""Vectors as a Numba type: what a few of a processor's registers hold, said explicitly.

A dish has some ten or twenty samples. A loop over so few is over before a compiler's
vectoriser has set itself up, so kernels say themselves what is done in one instruction.
A vector here is three registers of 32 bytes, 12 numbers in float64 or 24 in float32: most
rows of samples fit into one, and three independent instructions in a row hide each
other's latency. Kernels work on pointers instead of arrays: these would be counted, which takes
as long as a vector's arithmetic, each time that one is handed to a function.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.extending import lower_builtin, models, register_model, type_callable
from numba.types import CPointer, Float, Type, float64, intp, none

from sk_petridish._compat._numba import address_as, intrinsic, make_array

N_REGISTERS, REGISTER_BYTES = 3, 32

# A function that writes LLVM's code for an intrinsic: context, builder, signature and
# arguments to result.
Generator = Callable[[Any, Any, Any, Any], Any]
# What it does with one register of each argument.
Step = Callable[..., Any]


def n_lanes_of(itemsize: int) -> int:
    """Return how many numbers of so many bytes a vector holds.

    Parameters
    ----------
    itemsize : int
        4 or 8.

    Returns
    -------
    int
        Numbers in a vector.
    """
    return N_REGISTERS * REGISTER_BYTES // itemsize


class Vector(Type):
    """The Numba type of a vector.

    Parameters
    ----------
    dtype : numba.types.Float
        Type of an element.
    """

    def __init__(self, dtype: Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")

    def register(self, context: Any) -> Any:
        """Return LLVM's type of one register."""
        count = 8 * REGISTER_BYTES // self.dtype.bitwidth
        return ir.VectorType(context.get_value_type(self.dtype), count)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        element = manager.lookup(vector.dtype).get_value_type()
        register = ir.VectorType(element, 8 * REGISTER_BYTES // vector.dtype.bitwidth)
        super().__init__(manager, vector, ir.ArrayType(register, N_REGISTERS))


def _registers(builder: Any, vector: Any) -> list[Any]:
    return [builder.extract_value(vector, index) for index in range(N_REGISTERS)]


def _join(builder: Any, registers: Sequence[Any]) -> Any:
    vector = ir.Constant(ir.ArrayType(registers[0].type, N_REGISTERS), ir.Undefined)
    for index, register in enumerate(registers):
        vector = builder.insert_value(vector, register, index)
    return vector


def _by_register(step: Step) -> Generator:
    """Do the same with all registers: ``step(builder, *registers) -> register``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        columns = zip(*(_registers(builder, vector) for vector in args), strict=True)
        return _join(builder, [step(builder, *registers) for registers in columns])

    return generate


def _constant(register: Any, value: float) -> Any:
    return ir.Constant(register.type, [value] * register.type.count)


def _llvm(builder: Any, name: str, *args: Any, fastmath: Sequence[str] = ()) -> Any:
    """Call an LLVM intrinsic whose result is as its first argument."""
    # Overloaded intrinsics carry their vector's type in the name: llvm.sqrt.v8f32.
    register = args[-1].type
    bits = 32 if isinstance(register.element, ir.FloatType) else 64
    kind = ir.FunctionType(args[0].type, [arg.type for arg in args])
    name = f"llvm.{name}.v{register.count}f{bits}"
    return builder.call(builder.module.declare_intrinsic(name, (), kind), args, fastmath=fastmath)


@intrinsic
def address(typing_context: Any, array: Any) -> Any:
    """Return the pointer to an array's first number; the array must outlive it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return make_array(signature.args[0])(context, builder, args[0]).data

    return CPointer(array.dtype)(array), generate


@intrinsic
def offset(typing_context: Any, pointer: Any, n: Any) -> Any:
    """Return the pointer to the number that lies n further."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, intp), generate


def _places(context: Any, builder: Any, vector: Vector, pointer: Any, at: Any) -> Any:
    """Return the addresses of the registers of a vector."""
    register = vector.register(context)
    for index in range(N_REGISTERS):
        begin = builder.add(at, ir.Constant(at.type, index * register.count))
        yield address_as(builder, pointer, begin, register)


@intrinsic
def load(typing_context: Any, pointer: Any, at: Any) -> Any:
    """Read the vector that begins at an offset."""
    vector, align = Vector(pointer.dtype), pointer.dtype.bitwidth // 8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(context, builder, vector, *args)
        return _join(builder, [builder.load(place, align=align) for place in places])

    return vector(pointer, intp), generate


@intrinsic
def store(typing_context: Any, pointer: Any, at: Any, vector: Any) -> Any:
    """Write a vector at an offset."""
    align = pointer.dtype.bitwidth // 8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(context, builder, vector, *args[:2])
        for register, place in zip(_registers(builder, args[2]), places, strict=True):
            builder.store(register, place, align=align)
        return context.get_dummy_value()

    return none(pointer, intp, vector), generate


@intrinsic
def broadcast(typing_context: Any, pointer: Any, value: Any) -> Any:
    """Repeat a number in every lane of a vector of the pointer's type."""
    vector = Vector(pointer.dtype)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = context.cast(builder, args[1], signature.args[1], pointer.dtype)
        return _broadcast(builder, scalar, vector.register(context))

    return vector(pointer, value), generate


def _broadcast(builder: Any, scalar: Any, register: Any) -> Any:
    empty, zero = ir.Constant(register, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    first = builder.insert_element(empty, scalar, zero)
    every = ir.Constant(ir.VectorType(zero.type, register.count), [0] * register.count)
    return _join(builder, [builder.shuffle_vector(first, empty, every)] * N_REGISTERS)


@intrinsic
def n_lanes(typing_context: Any, pointer: Any) -> Any:
    """Return how many numbers a vector holds, a constant to the compiler."""
    lanes = n_lanes_of(pointer.dtype.bitwidth // 8)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(intp, lanes)

    return intp(pointer), generate


@intrinsic
def reduce_add(typing_context: Any, vector: Any) -> Any:
    """Add a vector's lanes up."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, *others = _registers(builder, args[0])
        for other in others:
            first = builder.fadd(first, other)
        # Without "reassoc" LLVM must add lane by lane, one after the other. Any order of
        # summation will do, since compiled code keeps to the one that it chose.
        zero = ir.Constant(first.type.element, 0.0)
        return _llvm(builder, "vector.reduce.fadd", zero, first, fastmath=("reassoc",))

    return vector.dtype(vector), generate


@intrinsic
def add_reduced(typing_context: Any, pointer: Any, at: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Add the sums over the lanes of four vectors to four numbers from an offset on.

    Together they take a third of the instructions that they take one by one.
    """
    align = pointer.dtype.bitwidth // 8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pick(x: Any, y: Any, lanes: Sequence[int]) -> Any:
            kind = ir.VectorType(ir.IntType(32), len(lanes))
            return builder.shuffle_vector(x, y, ir.Constant(kind, list(lanes)))

        def fold(vector: Any) -> Any:
            first, *others = _registers(builder, vector)
            for other in others:
                first = builder.fadd(first, other)
            # Halves onto each other, until four partial sums are left in either precision.
            while first.type.count > 4:
                half = first.type.count // 2
                first = builder.fadd(
                    pick(first, first, range(half)), pick(first, first, range(half, 2 * half))
                )
            return first

        def interleave(x: Any, y: Any) -> Any:
            """Return x0 + x1, y0 + y1, x2 + x3, y2 + y3, as processors have it."""
            return builder.fadd(pick(x, y, (0, 4, 2, 6)), pick(x, y, (1, 5, 3, 7)))

        # Two rounds for four vectors: a01 b01 a23 b23 and c01 d01 c23 d23, then a b c d.
        first, second = (
            interleave(fold(x), fold(y)) for x, y in ((args[2], args[3]), (args[4], args[5]))
        )
        sums = builder.fadd(pick(first, second, (0, 1, 4, 5)), pick(first, second, (2, 3, 6, 7)))
        place = address_as(builder, args[0], args[1], sums.type)
        builder.store(builder.fadd(builder.load(place, align=align), sums), place, align=align)
        return context.get_dummy_value()

    return none(pointer, intp, a, a, a, a), generate


@intrinsic
def product_of_all(typing_context: Any, vector: Any) -> Any:
    """Multiply 1 + x over all lanes, in float64, and take one off again.

    It is never added, so that tiny numbers are not lost.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def multiply(a: Any, b: Any) -> Any:
            # (1 + a) (1 + b) - 1 = a + b + a b.
            return builder.fadd(builder.fadd(a, b), builder.fmul(a, b))

        first, *others = _registers(builder, args[0])
        count = first.type.count
        wide = ir.VectorType(ir.DoubleType(), count)
        product = first if first.type == wide else builder.fpext(first, wide)
        for other in others:
            product = multiply(product, other if other.type == wide else builder.fpext(other, wide))
        while count > 1:
            count //= 2
            halves = (
                ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(start, start + count)))
                for start in (0, count)
            )
            empty = ir.Constant(product.type, ir.Undefined)
            product = multiply(*(builder.shuffle_vector(product, empty, half) for half in halves))
        return builder.extract_element(product, ir.Constant(ir.IntType(32), 0))

    return float64(vector), generate


@intrinsic
def sqrt(typing_context: Any, vector: Any) -> Any:
    """Take square roots."""
    return vector(vector), _by_register(lambda builder, x: _llvm(builder, "sqrt", x))


@intrinsic
def absolute(typing_context: Any, vector: Any) -> Any:
    """Take absolute values."""
    return vector(vector), _by_register(lambda builder, x: _llvm(builder, "fabs", x))


@intrinsic
def constant(typing_context: Any, vector: Any, value: Any) -> Any:
    """Repeat a number in every lane of a vector of the same type as another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = context.cast(builder, args[1], signature.args[1], vector.dtype)
        return _broadcast(builder, scalar, vector.register(context))

    return vector(vector, value), generate


@intrinsic
def maximum(typing_context: Any, a: Any, b: Any) -> Any:
    """Choose the larger number; ``b`` where either is NaN."""

    def step(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    return a(a, b), _by_register(step)


@intrinsic
def select_positive(typing_context: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Choose ``yes`` in lanes where the condition is above zero, ``no`` elsewhere."""

    def step(builder: Any, condition: Any, yes: Any, no: Any) -> Any:
        positive = builder.fcmp_ordered(">", condition, _constant(condition, 0.0))
        return builder.select(positive, yes, no)

    return yes(condition, yes, no), _by_register(step)


def _integers(register: Any) -> tuple[Any, int, int]:
    """Return integers as wide as the lanes, the mantissa's bits and the exponent's bias."""
    bits, mantissa = (32, 23) if isinstance(register.element, ir.FloatType) else (64, 52)
    return ir.VectorType(ir.IntType(bits), register.count), mantissa, 2 ** (bits - mantissa - 2) - 1


@intrinsic
def shifter(typing_context: Any, vector: Any) -> Any:
    """Return 1.5 * 2**(bits of the mantissa): x plus it is x rounded, in the lowest bits.

    Adding it aligns the mantissas, so that the integer nearest to x stands in the sum's
    lowest bits, and subtracting it again leaves the rounded x.
    """

    def step(builder: Any, x: Any) -> Any:
        _, mantissa, _ = _integers(x.type)
        return _constant(x, 1.5 * 2.0**mantissa)

    return vector(vector), _by_register(step)


@intrinsic
def times_power_of_two(typing_context: Any, vector: Any, shifted: Any) -> Any:
    """Multiply by 2**k, given k plus the shifter; the result must be a normal number."""

    def step(builder: Any, x: Any, shifted: Any) -> Any:
        integers, mantissa, _ = _integers(x.type)
        # k stands in the lowest bits of the sum. Shifted to where the exponent is, it loses
        # the shifter's own bits, and adding it to the bits of x adds k to its exponent.
        k = builder.bitcast(shifted, integers)
        exponents = builder.shl(k, _constant(k, mantissa))
        return builder.bitcast(builder.add(builder.bitcast(x, integers), exponents), x.type)

    return vector(vector, shifted), _by_register(step)


@intrinsic
def exponent(typing_context: Any, vector: Any) -> Any:
    """Return the exponents of positive normal numbers, k in m * 2**k with 1 <= m < 2."""

    def step(builder: Any, x: Any) -> Any:
        integers, mantissa, bias = _integers(x.type)
        bits = builder.bitcast(x, integers)
        biased = builder.lshr(bits, _constant(bits, mantissa))
        # Put into the mantissa of this number, an integer is added to it.
        base = builder.bitcast(_constant(x, 2.0**mantissa), integers)
        added = builder.bitcast(builder.or_(biased, base), x.type)
        return builder.fsub(added, _constant(x, 2.0**mantissa + bias))

    return vector(vector), _by_register(step)


def polynomial(single: Sequence[float], double: Sequence[float]) -> Callable[..., Any]:
    """Return a polynomial of a vector, for kernels to call.

    Parameters
    ----------
    single, double : sequence of float
        Coefficients for float32 and for float64, highest first.

    Returns
    -------
    callable
        A function of a vector, to be called by kernels.
    """

    @intrinsic
    def evaluate(typing_context: Any, vector: Any) -> Any:
        coefficients = single if vector.dtype.bitwidth == 32 else double

        def step(builder: Any, x: Any) -> Any:
            # Horner's scheme, every step of it one fused multiplication and addition.
            result = _constant(x, coefficients[0])
            for coefficient in coefficients[1:]:
                product = builder.fmul(result, x, flags=("contract",))
                result = builder.fadd(product, _constant(x, coefficient), flags=("contract",))
            return result

        return vector(vector), _by_register(step)

    return evaluate


def _define_arithmetic(operation: Callable[..., Any], instruction: str) -> None:
    """Define an operator between vectors, and between a vector and a number."""

    # The result is always the vector's type: a float64 constant does not widen float32.
    @type_callable(operation)
    def _(typing_context: Any) -> Any:
        def typer(a: Type, b: Type) -> Vector | None:
            for vector, other in ((a, b), (b, a)):
                if isinstance(vector, Vector) and (other == vector or isinstance(other, Float)):
                    return vector
            return None

        return typer

    def step(builder: Any, a: Any, b: Any) -> Any:
        # A product and a sum may become one rounding, where the processor has it.
        return getattr(builder, instruction)(a, b, flags=("contract",))

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = signature.return_type

        def widen(value: Any, kind: Type) -> Any:
            if kind == vector:
                return value
            scalar = context.cast(builder, value, kind, vector.dtype)
            return _broadcast(builder, scalar, vector.register(context))

        operands = [*map(widen, args, signature.args)]
        return _by_register(step)(context, builder, signature, operands)

    for kinds in ((Vector, Vector), (Vector, Float), (Float, Vector)):
        lower_builtin(operation, *kinds)(lower)


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_arithmetic(_operation, _instruction)


@type_callable(operator.neg)
def _type_negative(typing_context: Any) -> Any:
    return lambda vector: vector if isinstance(vector, Vector) else None


@lower_builtin(operator.neg, Vector)
def _lower_negative(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _by_register(lambda builder, x: builder.fneg(x))(context, builder, signature, args)
