// A step of the local search: see descent_cuda.py. One block for each subset.
#include "order.cuh"

#define INFINITE __int_as_float(0x7f800000)

__device__ __forceinline__ double warp_sum(double value) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

// Carry out the flips found where they lower the squared error as float64 has it, and forget them.
extern "C" __global__ void __launch_bounds__(256)
    carry_out(const float* __restrict__ candidates, const float* __restrict__ gram, unsigned long long* best,
              double* residual, float* sign, float* delta, int* moved, int size, int dimension, int restarts) {
    extern __shared__ double after[];
    __shared__ int lowers;
    long long subset = blockIdx.x, problem = subset / restarts;
    candidates += problem * size * dimension;
    gram += problem * size * size;
    residual += subset * dimension;
    sign += subset * size;
    delta += subset * size;
    unsigned long long found = best[subset];
    int first = int(unsigned(found) >> 16), second = int(unsigned(found) & 0xffffu);
    if (from_ordered(unsigned(found >> 32)) >= 0.0f) return;
    if (threadIdx.x < 32) {
        double before_sum = 0.0, after_sum = 0.0;
        for (int d = threadIdx.x; d < dimension; d += 32) {
            double value = residual[d], changed = value - double(sign[first]) * candidates[(long long)first * dimension + d];
            if (second != first) changed -= double(sign[second]) * candidates[(long long)second * dimension + d];
            after[d] = changed;
            before_sum += value * value;
            after_sum += changed * changed;
        }
        before_sum = warp_sum(before_sum);
        after_sum = warp_sum(after_sum);
        if (threadIdx.x == 0) lowers = after_sum < before_sum;
    }
    __syncthreads();
    if (!lowers) return;
    if (threadIdx.x == 0) {
        sign[first] = -sign[first];
        if (second != first) sign[second] = -sign[second];
        best[subset] = 0xff80000000000000ull;
        atomicAdd(moved, 1);
    }
    for (int d = threadIdx.x; d < dimension; d += blockDim.x) residual[d] = after[d];
    __syncthreads();
    for (int i = threadIdx.x; i < size; i += blockDim.x) {
        if (delta[i] == INFINITE) continue;
        float correlation = 0.0f;
        for (int d = 0; d < dimension; ++d) correlation += candidates[(long long)i * dimension + d] * float(after[d]);
        delta[i] = gram[(long long)i * size + i] - 2.0f * sign[i] * correlation;
    }
}
