// The part of CUDA that netopt's kernels use, on one thread of a CPU.
//
// The threads of a block are fibers. One runs until it waits for others (a barrier, a warp's exchange) or returns; the
// order in which they take turns is chosen by the caller, so that a barrier that is missing shows as a result that
// depends on the order. Blocks run one after the other. Stricter than the hardware: every thread of a block must reach
// every barrier, at the same line, and every lane named in a warp's mask its exchange.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// A section of its own, so that what a block left in shared memory can be overwritten before the next begins.
#define __shared__ static __attribute__((section("cuda_shared")))
#define __constant__ static const

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
struct alignas(16) ulonglong2 { unsigned long long x, y; };
struct dim3 { unsigned x, y, z; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

namespace emulator {
// What every lane of the mask gave, once all have given something at the same line.
const std::uint64_t* exchange(unsigned mask, std::uint64_t value, int line);
// How many threads of the block gave a nonzero value, once all have reached the same line.
int barrier(int value, int line);
unsigned lane();
void* dynamic_shared();
[[noreturn]] void fail(const char* what, int line);

template <class T> std::uint64_t to_bits(T value) {
    static_assert(sizeof(T) <= 8, "values of at most 8 bytes are exchanged");
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
}
template <class T> T from_bits(std::uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}
template <class T> T shuffle(unsigned mask, T value, unsigned source, int line) {
    const std::uint64_t* given = exchange(mask, to_bits(value), line);
    if (!(mask >> source & 1u)) fail("a shuffle reads a lane that its mask does not name", line);
    return from_bits<T>(given[source]);
}
template <class T> T shuffle_index(unsigned mask, T value, int source, int line, int width = 32) {
    return shuffle(mask, value, (lane() & ~(width - 1u)) + (unsigned(source) & (width - 1u)), line);
}
template <class T> T shuffle_down(unsigned mask, T value, unsigned distance, int line, int width = 32) {
    unsigned within = lane() & (width - 1u);
    return shuffle(mask, value, within + distance < unsigned(width) ? lane() + distance : lane(), line);
}
template <class T> T shuffle_up(unsigned mask, T value, unsigned distance, int line, int width = 32) {
    unsigned within = lane() & (width - 1u);
    return shuffle(mask, value, within >= distance ? lane() - distance : lane(), line);
}
template <class T> T shuffle_xor(unsigned mask, T value, int bits, int line, int width = 32) {
    unsigned within = lane() & (width - 1u);
    return shuffle(mask, value, (within ^ bits) < unsigned(width) ? lane() ^ bits : lane(), line);
}
inline unsigned ballot(unsigned mask, int predicate, int line) {
    const std::uint64_t* given = exchange(mask, predicate != 0, line);
    unsigned votes = 0;
    for (int other = 0; other < 32; ++other)
        if (mask >> other & 1u) votes |= unsigned(given[other] != 0) << other;
    return votes;
}
template <class T> unsigned match_any(unsigned mask, T value, int line) {
    const std::uint64_t* given = exchange(mask, to_bits(value), line);
    unsigned same = 0;
    for (int other = 0; other < 32; ++other)
        if (mask >> other & 1u) same |= unsigned(given[other] == to_bits(value)) << other;
    return same;
}
template <class T, class Join> T reduce(unsigned mask, T value, int line, Join join) {
    static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>, "the hardware reduces 32-bit integers");
    const std::uint64_t* given = exchange(mask, to_bits(value), line);
    T result = value;
    for (unsigned other = 0; other < 32; ++other)
        if ((mask >> other & 1u) && other != lane()) result = join(result, from_bits<T>(given[other]));
    return result;
}
template <class T> using Same = std::common_type_t<T>;
template <class T, class... Allowed> constexpr bool one_of = (std::is_same_v<T, Allowed> || ...);
template <class T, class Join> T atomic(T* address, Join join) {
    T old = *address;
    *address = join(old);
    return old;
}
using Wide = unsigned long long;
}  // namespace emulator

#define __syncthreads() ((void)emulator::barrier(0, __LINE__))
#define __syncthreads_count(predicate) emulator::barrier((predicate) != 0, __LINE__)
#define __syncthreads_or(predicate) (emulator::barrier((predicate) != 0, __LINE__) != 0)
#define __syncthreads_and(predicate) (emulator::barrier((predicate) == 0, __LINE__) == 0)
#define __syncwarp(...) ((void)emulator::exchange(emulator::mask_or_all(__VA_ARGS__), 0, __LINE__))
#define __shfl_sync(mask, value, source, ...) \
    emulator::shuffle_index(mask, value, source, __LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_down_sync(mask, value, distance, ...) \
    emulator::shuffle_down(mask, value, distance, __LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_up_sync(mask, value, distance, ...) \
    emulator::shuffle_up(mask, value, distance, __LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_xor_sync(mask, value, bits, ...) \
    emulator::shuffle_xor(mask, value, bits, __LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __ballot_sync(mask, predicate) emulator::ballot(mask, predicate, __LINE__)
#define __any_sync(mask, predicate) (emulator::ballot(mask, predicate, __LINE__) != 0)
#define __all_sync(mask, predicate) (emulator::ballot(mask, predicate, __LINE__) == (mask))
#define __match_any_sync(mask, value) emulator::match_any(mask, value, __LINE__)
#define __reduce_add_sync(mask, value) \
    emulator::reduce(mask, value, __LINE__, [](auto a, auto b) { return decltype(a)(a + b); })
#define __reduce_min_sync(mask, value) \
    emulator::reduce(mask, value, __LINE__, [](auto a, auto b) { return a < b ? a : b; })
#define __reduce_max_sync(mask, value) \
    emulator::reduce(mask, value, __LINE__, [](auto a, auto b) { return a > b ? a : b; })

namespace emulator {
inline unsigned mask_or_all(unsigned mask = 0xffffffffu) { return mask; }
}  // namespace emulator

inline void __threadfence() {}
inline void __threadfence_block() {}
template <class T> T __ldg(const T* address) { return *address; }
template <class T> T __ldcs(const T* address) { return *address; }
template <class T> T __ldcg(const T* address) { return *address; }
template <class T> void __stcs(T* address, T value) { *address = value; }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(unsigned(bits)); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline float __uint_as_float(unsigned bits) { return emulator::from_bits<float>(bits); }
inline float __int_as_float(int bits) { return emulator::from_bits<float>(unsigned(bits)); }
inline unsigned __float_as_uint(float value) { return unsigned(emulator::to_bits(value)); }
inline int __float_as_int(float value) { return int(unsigned(emulator::to_bits(value))); }
inline double __longlong_as_double(long long bits) { return emulator::from_bits<double>(std::uint64_t(bits)); }
inline long long __double_as_longlong(double value) { return (long long)emulator::to_bits(value); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }

template <class T> T min(T a, T b) { return std::is_floating_point_v<T> ? T(std::fmin(a, b)) : (a < b ? a : b); }
template <class T> T max(T a, T b) { return std::is_floating_point_v<T> ? T(std::fmax(a, b)) : (a > b ? a : b); }

template <class T> T atomicAdd(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, emulator::Wide, float, double>);
    return emulator::atomic(address, [&](T old) { return T(old + value); });
}
template <class T> T atomicSub(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned>);
    return emulator::atomic(address, [&](T old) { return T(old - value); });
}
template <class T> T atomicMin(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, long long, emulator::Wide>);
    return emulator::atomic(address, [&](T old) { return value < old ? value : old; });
}
template <class T> T atomicMax(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, long long, emulator::Wide>);
    return emulator::atomic(address, [&](T old) { return value > old ? value : old; });
}
template <class T> T atomicOr(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, emulator::Wide>);
    return emulator::atomic(address, [&](T old) { return T(old | value); });
}
template <class T> T atomicAnd(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, emulator::Wide>);
    return emulator::atomic(address, [&](T old) { return T(old & value); });
}
template <class T> T atomicExch(T* address, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, emulator::Wide, float>);
    return emulator::atomic(address, [&](T) { return value; });
}
template <class T> T atomicCAS(T* address, emulator::Same<T> expected, emulator::Same<T> value) {
    static_assert(emulator::one_of<T, int, unsigned, emulator::Wide>);
    return emulator::atomic(address, [&](T old) { return old == expected ? value : old; });
}
