"""The decoding on constructed heads; on Google's own, see tests/parity."""

import pytest
import torch
from torch import Tensor

from movenet.decode import Heads, decode
from movenet.specs import GRAPH_CONSTANTS, Constants

LOW = -8.0  # a logit of next to nothing


def heads(count: int = 1, h: int = 16, w: int = 16, *, several: bool = False) -> Heads:
    """Heads that see nobody anywhere; tests set what they need in place."""
    maps = {"keypoint_regression": 34, "keypoint_offsets": 34}
    if several:
        maps |= {"box_scale": 2, "box_offset": 2}
    zeros = {name: torch.zeros(count, width, h, w) for name, width in maps.items()}
    return Heads(
        centre_logits=torch.full((count, 1, h, w), LOW),
        keypoint_logits=torch.full((count, 17, h, w), LOW),
        **zeros,
    )


def test_a_keypoint_lies_at_its_cell_plus_its_offset() -> None:
    made = heads(h=16, w=32)
    made.keypoint_logits[0, 5, 3, 20] = 4.0
    made.keypoint_offsets[0, 10, 3, 20] = 0.25  # y of keypoint 5
    made.keypoint_offsets[0, 11, 3, 20] = -0.5  # x
    y, x, score = decode(made)[0, 0, 5].tolist()
    assert (y, x) == pytest.approx((3.25 / 16, 19.5 / 32), abs=1e-7)
    assert score == pytest.approx(torch.tensor(4.0).sigmoid().item())


def test_of_two_people_the_one_nearer_the_middle_is_taken() -> None:
    made = heads()
    made.centre_logits[0, 0, 8, 2] = 2.0
    made.centre_logits[0, 0, 8, 9] = 1.5
    # Each centre points with its regression at a keypoint of its own.
    made.keypoint_regression[0, :, 8, 2] = -2.0
    made.keypoint_logits[0, :, 6, 0] = 3.0
    made.keypoint_regression[0, :, 8, 9] = 3.0
    made.keypoint_logits[0, :, 11, 12] = 3.0
    assert (decode(made)[0, 0, :, 0] == 11 / 16).all()
    assert (decode(made)[0, 0, :, 1] == 12 / 16).all()


def test_the_score_is_not_weighted_by_the_distance() -> None:
    made = heads()
    made.keypoint_logits[0, 0, 0, 0] = 5.0  # far from the regressed point in the middle
    assert decode(made)[0, 0, 0, 2].item() == pytest.approx(torch.tensor(5.0).sigmoid().item())


def test_the_first_of_equal_keypoints_wins() -> None:
    made = heads()
    made.centre_logits[0, 0, 8, 8] = 4.0
    for y, x in ((7, 8), (8, 7), (8, 9), (9, 8)):  # all one cell from the regressed (8, 8)
        made.keypoint_logits[0, :, y, x] = 3.0
    assert (decode(made)[0, 0, :, :2] == torch.tensor([7 / 16, 8 / 16])).all()


def test_the_first_of_equal_centres_wins() -> None:
    made = heads()
    for y, x in ((8, 6), (8, 10), (6, 8), (10, 8)):  # all two cells from the middle
        made.centre_logits[0, 0, y, x] = 4.0
        made.keypoint_regression[0, 0::2, y, x] = float(-y)  # at row 0
        made.keypoint_regression[0, 1::2, y, x] = 0.0
    made.keypoint_logits[0, :, 0, 6] = made.keypoint_logits[0, :, 0, 8] = 3.0
    made.keypoint_logits[0, :, 0, 10] = 3.0
    assert (decode(made)[0, 0, :, 1] == 8 / 16).all()  # (6, 8) comes first


def test_saturated_sigmoids_tie_and_the_first_wins() -> None:
    made = heads()
    made.centre_logits[:] = 1000.0
    made.keypoint_logits[:] = 1000.0
    # All centres are 1: the middle wins by its weight. All keypoints are 1: the nearest wins.
    output = decode(made)[0, 0]
    assert (output[:, :2] == 0.5).all()
    assert (output[:, 2] == 1.0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_cell_of_a_large_map_is_found_in_any_type(dtype: torch.dtype) -> None:
    """A flat index over 2048 is no float16 number; 17 keypoints a picture visit 4096 cells."""
    cells = torch.arange(4096 + 1)  # 241 pictures x 17 keypoints, the last cell twice
    cells[-1] = 4095
    made = Heads(
        *(torch.full((241, width, 64, 64), fill, dtype=dtype) for width, fill in
          ((1, LOW), (34, 0.0), (17, LOW), (34, 0.0)))
    )  # fmt: skip
    made.keypoint_logits.view(-1, 4096)[torch.arange(4097), cells] = 20.0
    output = decode(made).view(-1, 3)
    assert torch.equal(output[:, 0], (cells // 64) / 64)
    assert torch.equal(output[:, 1], (cells % 64) / 64)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_batch_is_decoded_picture_by_picture(count: int, several: bool) -> None:
    torch.manual_seed(count)
    made = heads(count, several=several)
    random = Heads(*(None if head is None else torch.randn_like(head) * 4 for head in made))
    rows = [
        decode(Heads(*(None if head is None else head[i : i + 1] for head in random)))
        for i in range(count)
    ]
    whole = decode(random)
    assert len(whole) == count
    if rows:
        assert torch.equal(whole, torch.cat(rows))


def cells_of(output: Tensor, h: int, w: int) -> list[tuple[int, int]]:
    """Centre cells, read from boxes without extent."""
    rows = output[0, :, 51:53] * torch.tensor([h, w])
    return [(round(y), round(x)) for y, x in rows.tolist()]


def test_people_come_by_falling_centre_score_and_the_first_of_equals_first() -> None:
    made = heads(several=True)
    for (y, x), logit in {(1, 1): 2.0, (1, 12): 3.0, (8, 5): 2.0, (12, 12): 1.0}.items():
        made.centre_logits[0, 0, y, x] = logit
    found = cells_of(decode(made), 16, 16)
    assert found[:4] == [(1, 12), (1, 1), (8, 5), (12, 12)]


def test_where_fewer_than_six_are_seen_the_first_empty_cells_fill_up() -> None:
    made = heads(several=True)
    ramp = torch.arange(256.0).view(16, 16) / 256 + LOW  # one peak only: the last cell
    made.centre_logits[0, 0] = ramp
    assert cells_of(decode(made), 16, 16) == [(15, 15), (0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]


def test_a_neighbour_within_two_cells_is_not_a_second_person() -> None:
    made = heads(several=True)
    made.centre_logits[0, 0, 8, 8] = 3.0
    made.centre_logits[0, 0, 8, 10] = 2.9  # in the 5x5 window
    made.centre_logits[0, 0, 8, 11] = 2.8  # outside of that of (8, 8), inside (8, 10)'s
    made.centre_logits[0, 0, 8, 3] = 2.0
    assert cells_of(decode(made), 16, 16)[:2] == [(8, 8), (8, 3)]


def two_people() -> Heads:
    """Two people of 8x8 cells with all their keypoints where their centres are."""
    made = heads(several=True)
    for (y, x), logit in {(4, 4): 3.0, (11, 11): 2.0}.items():
        made.centre_logits[0, 0, y, x] = logit
        made.keypoint_logits[0, :, y, x] = logit
        made.box_scale[0, :, y, x] = 8.0  # type: ignore[index]
    return made


def test_a_box_is_centred_on_its_cell_and_its_offset() -> None:
    made = two_people()
    made.box_offset[0, 0, 4, 4] = 1.0  # type: ignore[index]
    first, second = (decode(made)[0, :2, 51:55] * 16).tolist()
    assert first == pytest.approx([1, 0, 9, 8])
    assert second == pytest.approx([7, 7, 15, 15])


def test_an_instance_score_is_the_centre_s_times_the_mean_keypoint_s() -> None:
    centre, keypoint = torch.tensor([3.0, 3.0]).sigmoid().tolist()
    assert decode(two_people())[0, 0, 55].item() == pytest.approx(centre * keypoint)


def test_keypoints_outside_the_box_are_not_taken() -> None:
    made = two_people()
    made.keypoint_logits[0, 0, 4, 9] = 9.0  # outside 0..8, and nearer than nothing
    assert decode(made)[0, 0, 1].item() * 16 == pytest.approx(4)


def test_where_two_people_share_a_cell_the_weaker_shows_the_stronger_one_s_score() -> None:
    made = two_people()
    made.keypoint_regression[0, :, 11, 11] = -7.0 + 2.0  # the second points near the first's cell
    made.box_scale[0, :, 11, 11] = 30.0  # type: ignore[index]
    made.keypoint_logits[0, :, 11, 11] = LOW
    output = decode(made)[0]
    assert output[1, :2].tolist() == output[0, :2].tolist()
    assert output[1, 2].item() == output[0, 2].item()


def test_a_cell_on_the_box_s_left_and_top_edge_is_inside_and_one_on_the_others_is_not() -> None:
    made = two_people()  # the first box is 0..8
    made.box_offset[0, :, 4, 4] = 1.0  # type: ignore[index]  # now 1..9
    made.keypoint_logits[0, :2, 4, 4] = LOW
    made.keypoint_logits[0, 0, 1, 1] = 9.0
    made.keypoint_logits[0, 1, 9, 9] = 9.0
    first = decode(made)[0, 0]
    assert (first[:2] * 16).tolist() == [1, 1]
    assert (first[3:5] * 16).tolist() != [9, 9]


def test_the_middle_of_a_map_that_is_not_square_is_half_of_each_side() -> None:
    made = heads(h=16, w=48)
    for y, x, target in ((8, 24, 3), (8, 8, 5)):  # in the middle, and at half the other side
        made.centre_logits[0, 0, y, x] = 2.0
        made.keypoint_regression[0, 0::2, y, x] = float(target - y)
        made.keypoint_regression[0, 1::2, y, x] = 0.0
        made.keypoint_logits[0, :, target, x] = 3.0
    assert (decode(made)[0, 0, :, 0] == 3 / 16).all()


def test_a_gaussian_is_as_wide_as_the_shorter_side_makes_it() -> None:
    """The score of a keypoint two cells off tells the width."""
    for h, w in ((16, 32), (32, 16), (16, 16)):
        made = heads(h=h, w=w, several=True)
        made.centre_logits[0, 0, 8, 8] = 4.0
        made.box_scale[0, :, 8, 8] = 16.0  # type: ignore[index]
        made.keypoint_logits[0, 0, 8, 10] = 8.0
        wanted = torch.tensor(8.0).sigmoid() * torch.exp(torch.tensor(-4 / (16 * 0.3)))
        assert decode(made)[0, 0, 2].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_only_scores_over_the_threshold_count() -> None:
    made = two_people()
    centre, score = torch.tensor([3.0, 3.0]).sigmoid().tolist()
    exact = decode(made)[0, 0, 2].item()
    for threshold, wanted in ((exact, 0.0), (exact - 1e-6, centre * score)):
        constants = Constants(keypoint_threshold=threshold)
        assert decode(made, constants)[0, 0, 55].item() == pytest.approx(wanted)


def test_peaks_that_differ_by_less_than_the_tolerance_are_all_peaks() -> None:
    made = heads(several=True)
    made.centre_logits[0, 0, 8, 8] = 0.0
    made.centre_logits[0, 0, 8, 9] = -2e-6  # a sigmoid of 0.5 - 5e-7
    assert cells_of(decode(made), 16, 16)[:2] == [(8, 8), (8, 9)]
    made.centre_logits[0, 0, 8, 9] = -2e-5
    assert cells_of(decode(made), 16, 16)[1] != (8, 9)


def test_one_box_head_without_the_other_is_refused() -> None:
    made = heads(several=True)._replace(box_offset=None)
    with pytest.raises(ValueError, match=r"^heads of several people need box_scale and box_offset"):
        decode(made)


def test_google_s_float16_constants_shorten_lightning_s_coordinates() -> None:
    made = heads(h=48, w=48)
    made.keypoint_logits[0, :, 47, 47] = 9.0
    true, rounded = decode(made)[0, 0, 0, 0], decode(made, GRAPH_CONSTANTS)[0, 0, 0, 0]
    assert true.item() == pytest.approx(47 / 48, abs=1e-7)
    assert (rounded / true).item() == pytest.approx(0.020828247 * 48, abs=1e-7)  # net/Reshape_13
