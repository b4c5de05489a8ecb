// Kernels that are right, and kernels that are wrong in one way each.
#include "examples.cuh"

extern "C" __global__ void __launch_bounds__(256) scale(float* __restrict__ values, float factor, long long count) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < count) values[i] = twice(values[i]) * factor;
}

extern "C" __global__ void block_sums(const int* __restrict__ values, int* __restrict__ sums, int count) {
    __shared__ int parts[32];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int value = i < count ? values[i] : 0;
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_down_sync(0xffffffffu, value, distance);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    if (threadIdx.x == 0) {
        int total = 0;
        for (int warp = 0; warp < blockDim.x / 32; ++warp) total += parts[warp];
        atomicAdd(sums, total);
        sums[1 + blockIdx.x] = total;
    }
}

extern "C" __global__ void reversed(unsigned char* values, int count) {
    extern __shared__ unsigned char copy[];
    for (int i = threadIdx.x; i < count; i += blockDim.x) copy[i] = values[i];
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += blockDim.x) values[i] = copy[count - 1 - i];
}

extern "C" __global__ void votes(const int* values, unsigned* out) {
    unsigned equal = __match_any_sync(0xffffffffu, values[threadIdx.x]);
    unsigned odd = __ballot_sync(0xffffffffu, values[threadIdx.x] % 2);
    int least = __reduce_min_sync(0xffffffffu, values[threadIdx.x]);
    out[threadIdx.x] = equal;
    out[32 + threadIdx.x] = odd;
    out[64 + threadIdx.x] = unsigned(least) + __syncthreads_count(values[threadIdx.x] > 3);
}

extern "C" __global__ void without_barrier(int* values) {
    __shared__ int copy[64];
    copy[threadIdx.x] = values[threadIdx.x];
    values[threadIdx.x] = copy[63 - threadIdx.x];
}

extern "C" __global__ void barrier_in_a_branch(int* values) {
    if (threadIdx.x < 7) return;
    __syncthreads();
    values[threadIdx.x] = 1;
}

extern "C" __global__ void two_barriers(int* values) {
    if (threadIdx.x < 7)
        __syncthreads();
    else
        __syncthreads();
    values[threadIdx.x] = 1;
}

extern "C" __global__ void lane_missing(int* values) {
    if (threadIdx.x % 2) values[threadIdx.x] = __shfl_sync(0xffffffffu, values[threadIdx.x], 0);
}

extern "C" __global__ void past_the_end(const float* values, float* sum, int count) {
    for (int i = 0; i < count; ++i) *sum += values[i];
}

extern "C" __global__ void beside_the_end(unsigned char* values, int count) { values[count] = 1; }
