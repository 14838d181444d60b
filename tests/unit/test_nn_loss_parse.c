/* Terms of a loss as words: their meaning, and what is refused. */
#include "pipestill/losses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pst_loss_term parse(const char *text)
{
    struct pst_loss loss = { 0 };
    struct pst_error error;
    if (pst_loss_parse(&loss, text, &error) != PST_OK)
        fail_msg("%s: %s", text, error.message);
    assert_int_equal(loss.count, 1);
    return loss.terms[0];
}

static void assert_refused(const char *text, const char *words)
{
    struct pst_loss loss = { 0 };
    struct pst_error error;
    assert_int_equal(pst_loss_parse(&loss, text, &error), PST_USAGE);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s: %s", text, error.message);
}

static void a_type_alone_has_weight_1_and_no_tensor(void **state)
{
    (void)state;
    for (size_t k = 0; pst_loss_types[k] != NULL; k++) {
        struct pst_loss_term term = parse(pst_loss_types[k]->name);
        assert_ptr_equal(term.type, pst_loss_types[k]);
        assert_string_equal(term.tensor, "");
        assert_true(term.weight == 1 && term.temperature == 0);
        for (size_t i = 0; i < PST_MAX_LOSS_KEYS; i++)
            assert_true(term.values[i] == pst_loss_types[k]->keys[i].standard);
    }
}

static void tensor_weight_and_keys_are_taken(void **state)
{
    (void)state;
    struct pst_loss_term term = parse("kl:soft/a:0.9,T=4");
    assert_string_equal(term.tensor, "soft/a");
    assert_true(term.weight == 0.9 && term.temperature == 4);
    term = parse("labels::0.1,smoothing=0.05");
    assert_string_equal(term.tensor, "");
    assert_true(term.weight == 0.1 && term.values[0] == 0.05);
    term = parse("cross-entropy,T=2.5");
    assert_true(term.weight == 1 && term.temperature == 2.5);
    term = parse("mse:logits/t");
    assert_string_equal(term.tensor, "logits/t");
    assert_true(parse("bce::0").weight == 0);
}

static void a_text_that_is_not_a_term_is_refused_with_what_could_be_there(void **state)
{
    (void)state;
    assert_refused("", "there is no loss ''; there are kl, cross-entropy, labels, logits, mse, bce, brier");
    assert_refused("KL", "there is no loss 'KL'");
    assert_refused("kl:soft:x", "'x' is not a weight");
    assert_refused("kl:soft:", "'' is not a weight");
    assert_refused("kl:soft:-1", "'-1' is not a weight");
    assert_refused("kl:soft:nan", "'nan' is not a weight");
    assert_refused("kl:soft:inf", "'inf' is not a weight");
    assert_refused("kl:soft:1:2", "'1:2' is not a weight");
    assert_refused("kl,T=0", "T=0 is not a number from");
    assert_refused("kl,T", "T= is not a number from");
    assert_refused("kl,T=1,T=1", "'T=' is there twice");
    assert_refused("labels,T=2", "the loss labels has no 'T='");
    assert_refused("labels,smoothing=1.5", "smoothing=1.5 is not a number from 0 to 1");
    assert_refused("labels,smoothing=-0.1", "smoothing=-0.1 is not a number");
    assert_refused("labels,smoothing=0.1,smoothing=0.1", "'smoothing=' is there twice");
    assert_refused("mse,smoothing=0.1", "the loss mse has no 'smoothing='");
    assert_refused("mse,", "the loss mse has no '='");
    assert_refused("mse,=3", "the loss mse has no '='");
}

static void long_texts_and_many_terms_are_refused(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_refused(text, "a term has at most 511 bytes");
    memcpy(text, "mse:", 4);
    text[300] = '\0';
    assert_refused(text, "a tensor's name has at most 127 bytes");
    text[4 + 127] = '\0';
    assert_int_equal(strlen(parse(text).tensor), 127);
    struct pst_loss loss = { 0 };
    struct pst_error error;
    for (size_t i = 0; i < PST_MAX_TERMS; i++)
        assert_int_equal(pst_loss_parse(&loss, "mse", &error), PST_OK);
    assert_int_equal(pst_loss_parse(&loss, "mse", &error), PST_USAGE);
    assert_non_null(strstr(error.message, "at most 8 terms"));
    assert_null(pst_loss_add(&loss, "mse"));
    loss.count = 0;
    assert_null(pst_loss_add(&loss, "none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_alone_has_weight_1_and_no_tensor),
        cmocka_unit_test(tensor_weight_and_keys_are_taken),
        cmocka_unit_test(a_text_that_is_not_a_term_is_refused_with_what_could_be_there),
        cmocka_unit_test(long_texts_and_many_terms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
