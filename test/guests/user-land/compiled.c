/* Integers, floating point, threads, faults and printf: a line name=value each, for the test to compare. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { threads = 4, rounds = 20000, numbers = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static long locked;
static atomic_long counted;

static void *count(void *argument) {
	long own = (long)argument;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < rounds; i++) {
		atomic_fetch_add(&counted, own);
		pthread_mutex_lock(&mutex);
		locked += own;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)(own * own);
}

static sigjmp_buf back;
static volatile sig_atomic_t code;
static void *volatile address;

static void fault(int signal, siginfo_t *info, void *context) {
	(void)context;
	code = info->si_code;
	address = info->si_addr;
	siglongjmp(back, signal);
}

static uint64_t random64(uint64_t *state) {
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int compare(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

int main(void) {
	uint64_t state = 88172645463325252u, sum = 0, high = 0;
	static uint64_t list[numbers];
	for (int i = 0; i < numbers; i++) {
		uint64_t a = random64(&state), b = random64(&state) >> (i % 60);
		sum += a / (b | 1) + a % (b | 1) + (uint64_t)((int64_t)a / (int32_t)(b | 1)) + (a << (b & 63) | a >> (-b & 63));
		high ^= (uint64_t)((unsigned __int128)a * b >> 64) + (uint64_t)__builtin_popcountll(a) * (uint64_t)__builtin_clzll(b | 1);
		list[i] = a;
	}
	qsort(list, numbers, sizeof list[0], compare);
	printf("integers=%llx %llx\n", (unsigned long long)sum, (unsigned long long)high);
	printf("sorted=%llx %llx %llx\n", (unsigned long long)list[0], (unsigned long long)list[numbers / 2],
		(unsigned long long)list[numbers - 1]);

	double real = 0;
	float single = 0;
	for (int i = 1; i <= numbers; i++) {
		real = real / 1.001 + 1.0 / i - (double)(list[i % numbers] >> 11) * 0x1p-60;
		single = single * 0.75f + 1.0f / (float)i;
	}
	uint64_t realBits;
	uint32_t singleBits;
	memcpy(&realBits, &real, sizeof real);
	memcpy(&singleBits, &single, sizeof single);
	printf("double=%016llx\nfloat=%08x\n", (unsigned long long)realBits, singleBits);
	/* 25! is 22 bits of zeros and 62 others: whole in a long double, and not in a double. */
	long double factorial = 1;
	for (int i = 2; i <= 25; i++) factorial *= i;
	printf("long=%.0Lf\n", factorial);
	printf("printf=%d|%5u|%-5x|%#o|%c|%s|%+.3e|%g|%08.3f|%a|%lld|%zu\n", -7, 42u, 48879u, 8u, 'z', "text", 12345.678, 1e-5,
		3.14159, 0.1, -9223372036854775807LL, sizeof(long));

	pthread_t all[threads];
	long results = 0;
	pthread_barrier_init(&barrier, NULL, threads);
	for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, count, (void *)(i + 1));
	for (int i = 0; i < threads; i++) {
		void *result;
		pthread_join(all[i], &result);
		results += (long)result;
	}
	printf("threads=%ld %ld %ld\n", locked, (long)counted, results);

	struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	volatile int seven = 7, zero = 0;
	int signal = sigsetjmp(back, 1);
	if (signal == 0) seven /= zero;
	printf("divide=%d\n", signal == SIGFPE && code == FPE_INTDIV);
	signal = sigsetjmp(back, 1);
	if (signal == 0) *(volatile char *)0x1234 = 1;
	printf("page=%d %p\n", signal == SIGSEGV && code == SEGV_MAPERR, address);
	signal = sigsetjmp(back, 1);
	if (signal == 0) *(volatile char *)(uintptr_t)main = 1;
	printf("write=%d\n", signal == SIGSEGV && code == SEGV_ACCERR && address == (void *)(uintptr_t)main);
	signal = sigsetjmp(back, 1);
	if (signal == 0) __asm__ volatile("ud2");
	printf("undefined=%d\n", signal == SIGILL);
	return 0;
}
