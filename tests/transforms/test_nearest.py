from transforms.nearest import did_you_mean


def test_the_nearest_known_name_is_offered():
    assert did_you_mean("order_plced", ["add_to_cart", "order_placed"]) == " (did you mean 'order_placed'?)"


def test_where_no_name_is_near_nothing_is_offered():
    assert did_you_mean("xyz", ["add_to_cart", "order_placed"]) == ""


def test_a_key_that_is_no_text_is_compared_by_its_text():
    assert did_you_mean(201, ["200", "plan"]) == " (did you mean '200'?)"
