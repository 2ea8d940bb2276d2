import {backEndHere, cleanBootTest} from '#test/petri';

// Where KVM is emulated a boot takes minutes.
for (const count of backEndHere === 'kvm' ? [4] : [1, 4]) cleanBootTest('cloud', count);
