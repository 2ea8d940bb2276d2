import {setFlagsFromString} from 'node:v8';
import test from 'ava';
import {testGarbage} from './testing/garbage-tests.ts';

// In some processes V8 inlines less than in others, for as long as they live. Here no function is part of another, so that every
// number that passes between two of them is an object unless it fits in 31 bits.
setFlagsFromString('--no-turbo-inlining');

testGarbage(test);
