import test from 'ava';
import {deviceType} from '#devices/device-type';
import {probeEndpoint} from '#devices/pci/testing';
import {deviceRegistry} from '#devices/registry';
import {testConformance} from './index.ts';

/** A PCI Express endpoint stands for those of users. */
const endpoint = deviceType({...probeEndpoint, summary: 'An endpoint', configure: () => ({})});

for (const type of deviceRegistry.with([endpoint]).types) testConformance(test, type);
