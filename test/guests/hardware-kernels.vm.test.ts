import {cleanBootTest} from '#test/petri';

for (const kernel of ['generic', 'newest'] as const) {
	for (const count of [1, 4]) cleanBootTest(kernel, count);
}
