import test from 'ava';
import type {DeclaredType} from '#devices/device-type';
import {completeModel} from '#devices/pci/function';
import {probeEndpoint} from '#devices/pci/testing';
import {deviceRegistry} from '#devices/registry';
import {testConformance} from './index.ts';

/** A PCI Express endpoint stands for those of users. */
const endpoint = {summary: 'An endpoint', configure: () => ({}), ...completeModel(probeEndpoint)} as DeclaredType;

for (const type of deviceRegistry.with([endpoint]).types) testConformance(test, type);
