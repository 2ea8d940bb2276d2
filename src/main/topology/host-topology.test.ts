import test from 'ava';
import {readHostTopology} from './host-topology.ts';

const sysfs = (files: Record<string, string>) => readHostTopology((name) => files[name]);

test('siblings are counted over ranges and single processors', (t) => {
	t.deepEqual(sysfs({core_cpus_list: '0,8\n', package_cpus_list: '0-3,8-11\n'}), {threadsPerCore: 2, vpsPerSocket: 8});
});

test('the file names of older kernels are understood', (t) => {
	t.deepEqual(sysfs({thread_siblings_list: '0\n', core_siblings_list: '0-1\n'}), {threadsPerCore: 1, vpsPerSocket: 2});
});

test('a host that hides its topology, or writes nonsense, gives nothing', (t) => {
	t.is(sysfs({}), undefined);
	t.is(sysfs({core_cpus_list: '', package_cpus_list: '0'}), undefined);
	t.is(sysfs({core_cpus_list: 'x', package_cpus_list: '0'}), undefined);
});
