import test from 'ava';
import {probeKvm} from './capabilities.ts';

test('the probe reports what this layer needs, as data that survives a copy', (t) => {
	const capabilities = probeKvm();
	t.is(capabilities.apiVersion, 12);
	t.true(capabilities.mmapSize >= 3 * 4096);
	t.true(capabilities.recommendedVcpus >= 1);
	t.true(capabilities.maxVcpus >= capabilities.recommendedVcpus);
	t.true(capabilities.maxVcpuId >= capabilities.maxVcpus);
	t.true(capabilities.memorySlots >= 32);
	t.not(capabilities.kind, 'unknown');
	t.true(capabilities.supportedCpuid.some(({function: leaf}) => leaf === 1));
	t.deepEqual(structuredClone(capabilities), capabilities);
});
