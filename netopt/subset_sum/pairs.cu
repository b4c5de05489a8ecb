// The pair of two lists whose sum comes closest to a target: see pairs_cuda.py.
//
// A thread keeps LEFTS vectors x of the left list in registers; tiles of the right list, y = right - target, go through
// shared memory with half their square sums. |x|^2 / 2 + |y|^2 / 2 + <x, y> is half the squared distance: DIMENSION fused
// products and one minimum a pair. The expansion cancels, so it only excludes: a tile with a value within its rounding
// error of the best known distance is gone through again, and distances summed from the differences decide.
#include "order.cuh"

#ifndef DIMENSION
#define DIMENSION 9
#define LEFTS 4
#define TILE 128
#endif
#define THREADS 128
#define STRIDE ((DIMENSION + 1 + 3) / 4 * 4)
#define INFINITE __int_as_float(0x7f800000)
// Rounding of both square sums, of the chain of products and of the distance itself, generously.
#define ERROR (8.0f * (DIMENSION + 4) * 5.9604645e-8f)
#define UNDERFLOW 1e-42f

// |x + y|^2 as the NumPy twin of a test sums it: one coordinate after the other, nothing fused.
__device__ __forceinline__ float distance(const float (&x)[DIMENSION], const float* y) {
    float sum = 0.0f;
#pragma unroll
    for (int d = 0; d < DIMENSION; ++d) {
        float difference = x[d] + y[d];
        sum += difference * difference;
    }
    return sum;
}

__device__ __forceinline__ float half_square(const float* vector) {
    float sum = 0.0f;
    for (int d = 0; d < DIMENSION; ++d) sum = fmaf(vector[d], vector[d], sum);
    return 0.5f * sum;
}

// |y|^2 / 2 + <x, y>.
__device__ __forceinline__ float without_left(const float (&x)[DIMENSION], const float (&y)[STRIDE]) {
    float value = y[DIMENSION];
#pragma unroll
    for (int d = 0; d < DIMENSION; ++d) value = fmaf(x[d], y[d], value);
    return value;
}

__device__ __forceinline__ void load_four_by_four(float (&y)[STRIDE], const float* shared) {
#pragma unroll
    for (int d = 0; d < STRIDE; d += 4) {
        const float4 four = *reinterpret_cast<const float4*>(shared + d);
        y[d] = four.x;
        y[d + 1] = four.y;
        y[d + 2] = four.z;
        y[d + 3] = four.w;
    }
}

// Lower `best`, rank of a squared distance above and i << 16 | j below. blockIdx.x: problem, part of the left list, part
// of the right list, the last fastest.
extern "C" __global__ void __launch_bounds__(THREADS)
    closest(const float* __restrict__ left, const float* __restrict__ right, const float* __restrict__ target,
            unsigned long long* best, int lefts, int rights, int left_parts, int right_parts) {
    __shared__ __align__(16) float tile[TILE][STRIDE];
    __shared__ unsigned long long known;
    __shared__ unsigned largest_half_square;
    int right_part = blockIdx.x % right_parts, left_part = blockIdx.x / right_parts % left_parts;
    long long problem = blockIdx.x / right_parts / left_parts;
    left += problem * lefts * DIMENSION;
    right += problem * rights * DIMENSION;
    target += problem * DIMENSION;
    best += problem;
    int mine = left_part * THREADS * LEFTS + threadIdx.x;
    float x[LEFTS][DIMENSION], half[LEFTS];
#pragma unroll
    for (int m = 0; m < LEFTS; ++m) {
        int i = min(mine + m * THREADS, lefts - 1);
#pragma unroll
        for (int d = 0; d < DIMENSION; ++d) x[m][d] = left[(long long)i * DIMENSION + d];
        half[m] = half_square(x[m]);
    }
    int begin = int((long long)rights * right_part / right_parts);
    int end = int((long long)rights * (right_part + 1) / right_parts);
    for (int start = begin; start < end; start += TILE) {
        int count = min(TILE, end - start);
        __syncthreads();
        if (threadIdx.x == 0) {
            known = __ldcg(best);
            largest_half_square = 0u;
        }
        for (int at = threadIdx.x; at < count * DIMENSION; at += THREADS) {
            int j = at / DIMENSION, d = at % DIMENSION;
            tile[j][d] = right[(long long)start * DIMENSION + at] - target[d];
        }
        __syncthreads();
        for (int j = threadIdx.x; j < count; j += THREADS) {
            float square = half_square(tile[j]);
            tile[j][DIMENSION] = square;
            atomicMax(&largest_half_square, __float_as_uint(square));
        }
        __syncthreads();
        float least[LEFTS];
#pragma unroll
        for (int m = 0; m < LEFTS; ++m) least[m] = INFINITE;
#pragma unroll 2
        for (int j = 0; j < count; ++j) {
            float y[STRIDE];
            load_four_by_four(y, tile[j]);
#pragma unroll
            for (int m = 0; m < LEFTS; ++m) least[m] = fminf(least[m], without_left(x[m], y));
        }
        float closest_known = from_ordered(unsigned(*(volatile unsigned long long*)&known >> 32));
        float most = __uint_as_float(largest_half_square);
#pragma unroll
        for (int m = 0; m < LEFTS; ++m) {
            // Half the best distance known, and what half a computed one may be off by.
            float limit = 0.5f * closest_known + ERROR * (half[m] + most + closest_known) + UNDERFLOW;
            bool candidate = mine + m * THREADS < lefts && !(half[m] + least[m] > limit);
            if (!__any_sync(0xffffffffu, candidate)) continue;
            unsigned rank = 0xffffffffu, key = 0xffffffffu;
            for (int j = 0; candidate && j < count; ++j) {
                float y[STRIDE];
                load_four_by_four(y, tile[j]);
                if (half[m] + without_left(x[m], y) > limit) continue;
                unsigned found = ordered(distance(x[m], tile[j]));
                if (found >= rank) continue;
                rank = found;
                key = unsigned(mine + m * THREADS) << 16 | unsigned(start + j);
            }
            unsigned long long found = warp_min_pair(rank, key);
            if (threadIdx.x % 32 == 0) atomicMin(&known, found);
        }
        __syncthreads();
        if (threadIdx.x == 0 && known < __ldcg(best)) atomicMin(best, known);
    }
}

extern "C" __global__ void unpack_pairs(const unsigned long long* __restrict__ best, float* __restrict__ error,
                                        long long* __restrict__ i, long long* __restrict__ j, int count) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    unsigned long long found = best[at];
    error[at] = from_ordered(unsigned(found >> 32));
    i[at] = unsigned(found) >> 16;
    j[at] = unsigned(found) & 0xffffu;
}
