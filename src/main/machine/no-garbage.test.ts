import test from 'ava';
import {testGarbage} from './testing/garbage-tests.ts';

testGarbage(test);
